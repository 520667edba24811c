"""Options of a rendered file that no variable has: whose Keepalived reads it, the password, and who listens to it."""

from __future__ import annotations

from typing import NamedTuple

from hachecks.ipfailover.render.keywords import DEFAULT, Version


class Options(NamedTuple):
    """The version of Keepalived, the password of VRRP 2 where it is not the name, and whether a ledger keeps ids.

    `fifo` is where Keepalived says what becomes of each instance; empty where nobody listens there.
    """

    version: Version = DEFAULT
    password: str = ""
    ledger: bool = False
    fifo: str = ""
