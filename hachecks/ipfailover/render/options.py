"""Options of a rendered file that no variable has: whose Keepalived reads it."""

from __future__ import annotations

from typing import NamedTuple

from hachecks.ipfailover.render.keywords import DEFAULT, Version


class Options(NamedTuple):
    """The version of Keepalived."""

    version: Version = DEFAULT
