"""The global_defs block of a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hachecks.ipfailover.render.keywords import knows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.render.target import Target


def lines(target: Target) -> Iterator[str]:
    """The block."""
    yield "global_defs {"
    yield from (f"    {line}" for line in _inside(target))
    yield "}"
    yield ""


def _inside(target: Target) -> Iterator[str]:
    yield f"router_id {re.sub('[^A-Za-z0-9_]', '', target.plan.name.replace('-', '_'))}"
    yield "script_user root"
    yield "enable_script_security"
    yield "dynamic_interfaces"
    yield "vrrp_garp_master_refresh 60"
    yield "vrrp_garp_lower_prio_repeat 5"
    yield "log_unknown_vrids"
    if knows(target.version, "reload_check_config"):
        yield "reload_check_config"
