"""The vrrp_instance blocks of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.family import IPV4, family
from hachecks.ipfailover.render import adverts
from hachecks.ipfailover.render.keywords import knows
from hachecks.ipfailover.values import LONGEST_INTERFACE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.ipfailover.plan import Instance
    from hachecks.ipfailover.render.target import Target

LABEL = "vip"
LENGTHS = {4: 32, 6: 128}
TOLD = 3
"""Nodes of an instance that its comment names."""


class Around(NamedTuple):
    """What an instance tracks, whom it tells, and what somebody adds to it."""

    scripts: Sequence[str]
    track_files: Sequence[str]
    notify: str
    verbatim: Sequence[str]


def lines(target: Target, instance: Instance, around: Around) -> Iterator[str]:
    """The block of one instance."""
    yield f"vrrp_instance {instance.name} {{"
    yield from (f"    {line}" for line in _inside(target, instance, around))
    yield "}"
    yield ""


def _inside(target: Target, instance: Instance, around: Around) -> Iterator[str]:
    yield f"interface {target.settings.interface}"
    yield "state BACKUP"
    yield f"version {target.vrrp(instance)}"
    yield f"virtual_router_id {instance.id}"
    yield f"priority {target.priority(instance)}{_others(instance)}"
    yield from _preemption(target)
    yield from adverts.lines(target, instance)
    yield from _way(target, instance)
    if around.scripts:
        yield from block("track_script", around.scripts)
    if around.track_files:
        yield from block("track_file", around.track_files)
    first, *others = (_address(target, vip) for vip in instance.vips)
    yield from block("virtual_ipaddress", [first])
    if others:
        yield from block("virtual_ipaddress_excluded", others)
    if around.notify:
        yield f'notify "{around.notify}"'
    yield from around.verbatim


def _others(instance: Instance) -> str:
    """A comment with the best nodes, the master first."""
    best = ", ".join(f"{node} {priority}" for node, priority in instance.ranks[:TOLD])
    more = len(instance.ranks) - TOLD
    return f"  # {best}{f' and {more} more' if more > 0 else ''}." if best else ""


def block(keyword: str, inside: Sequence[str]) -> Iterator[str]:
    """A block within one."""
    yield f"{keyword} {{"
    yield from (f"    {line}" for line in inside)
    yield "}"


def _preemption(target: Target) -> Iterator[str]:
    preemption = target.plan.preemption
    if preemption.mode == "delay":
        yield f"preempt_delay {preemption.seconds:.6f}".rstrip("0").rstrip(".")
    if preemption.mode == "nopreempt":
        yield "nopreempt"
        if knows(target.version, "timer_expired_backup"):
            yield "timer_expired_backup"


def _way(target: Target, instance: Instance) -> Iterator[str]:
    """By unicast or multicast, and from which address."""
    settings = target.settings
    if target.plan.unicast:
        yield f"unicast_src_ip {target.address}"
        yield "check_unicast_src"
        if knows(target.version, "unicast_fault_no_peer"):
            yield "unicast_fault_no_peer"
        yield from block("unicast_peer", target.peers)
    elif settings.multicast_source and family(settings.multicast_source) == family(instance.vips[0]):
        yield f"mcast_src_ip {settings.multicast_source}"


def _address(target: Target, vip: str) -> str:
    interface = target.settings.interface
    label = f"{interface}:{LABEL}"
    fits = family(vip) == IPV4 and len(label) <= LONGEST_INTERFACE
    return f"{vip}/{LENGTHS[family(vip)]} dev {interface}" + (f" label {label}" if fits else "")
