"""The global_defs block of a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hachecks.ipfailover.render.keywords import knows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.ipfailover.render.target import Target

AFTER_BOOT = 30
"""Seconds after the node's start in which a returning node takes no VIP: its network may hear nobody yet."""
REFRESH = 60
REPEAT = 5
"""Gratuitous ARPs, as many as Keepalived sends by default when it becomes master."""


def lines(target: Target, verbatim: Sequence[str]) -> Iterator[str]:
    """The block.

    There is no reload_check_config in it: Keepalived 2.2.7 ends at a reload that takes it away, and at one that brings
    it after a file that it found fault with, as it does with the stock image's.
    """
    yield "global_defs {"
    yield from (f"    {line}" for line in (*_inside(target), *verbatim))
    yield "}"
    yield ""


def _inside(target: Target) -> Iterator[str]:
    yield f"router_id {re.sub('[^A-Za-z0-9_]', '', target.plan.name.replace('-', '_'))}"
    yield "script_user root"
    yield "enable_script_security"
    # A missing interface is a fault until it is there, and no error.
    yield "dynamic_interfaces"
    yield f"vrrp_garp_master_refresh {REFRESH}"
    yield f"vrrp_garp_lower_prio_repeat {REPEAT}"
    if target.options.fifo:
        # Beside Keepalived the agent hears foreign ids, and says so once. This says it of each advert of each instance
        # that another configuration has on the segment.
        yield f"vrrp_notify_fifo {target.options.fifo}"
    else:
        yield "log_unknown_vrids"
    if target.plan.preemption.mode == "nopreempt" and knows(target.version, "vrrp_delay_after_boot"):
        yield f"vrrp_delay_after_boot {AFTER_BOOT}"
