"""What a keepalived.conf lets a drain do: the file, the instances that track it, and the numbers that move them."""

from __future__ import annotations

import os
from typing import NamedTuple

from hachecks.keepalived.configuration import Unreadable, read_configuration
from hachecks.keepalived.instance import OWNER
from hachecks.keepalived.track_files import FAULT, fault_number
from hachecks.settings import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.keepalived.configuration import Configuration, VrrpInstance
    from hachecks.keepalived.track_files import Tracked
    from hachecks.node import Node

CURE = "render it by hacheck ipfailover render --drain-file /var/lib/hacheck/drain"
RANKS = 253
"""The most that can be taken from a priority without a FAULT; Keepalived takes 1 for what is less."""


class Target(NamedTuple):
    """The file that drains the node, and what it drains.

    `lowered` is the number that makes the node the last resort, and `fault` the one that has it give its VIPs up.
    """

    path: str
    instances: tuple[VrrpInstance, ...]
    lowered: int
    fault: int

    @property
    def nopreempt(self) -> bool:
        """Whether a lower priority moves nothing, of some instance at least."""
        return any(one.nopreempt for one in self.instances)

    @property
    def delay(self) -> float:
        """Seconds for which others wait before they take over from a lower priority."""
        return max(one.preempt_delay for one in self.instances)

    @property
    def advert_interval(self) -> float:
        """Seconds between two adverts of the slowest instance."""
        return max(one.advert_interval for one in self.instances)

    def of_vip(self, vip: str) -> VrrpInstance:
        """The instance that carries a VIP."""
        return next(one for one in self.instances if any(vip == other.address for other in one.addresses))


def drain_file(configuration: Configuration, given: str = "") -> str:
    """The file by which the node is drained: the one given, or what keepalived.conf calls so; empty without one."""
    return given or next((one.path for one in configuration.track_files if one.is_drain), "")


def target_of(node: Node, given: str) -> Target:
    """What there is to drain; raises `Invalid` where something would not move, with the cure."""
    try:
        configuration = read_configuration(node.keepalived_config, node.config_id)
    except Unreadable as error:
        raise Invalid(f"{error} (--keepalived-config)") from None
    return target_in(configuration, node.keepalived_config, given)


def target_in(configuration: Configuration, conf: str, given: str = "") -> Target:
    """What there is to drain in a configuration that `conf` is; raises `Invalid` as `target_of` does."""
    if not configuration.instances:
        raise Invalid(f"{conf}: there is no instance that could be drained")
    path = drain_file(configuration, given)
    if not path:
        raise Invalid(f"{conf}: there is no track_file by which the node could be drained; {CURE}")
    names = {one.name for one in configuration.track_files if _same(one.path, path)}
    if not names:
        raise Invalid(f"{conf}: {path} is the file of no track_file; {CURE}, or give another --drain-file")
    tracked = [(one, _tracked(one, names)) for one in configuration.instances]
    missing = next((one.name for one, file in tracked if file is None), "")
    if missing:
        raise Invalid(f"{conf}: {missing} does not track {' or '.join(sorted(names))}, and would not move; {CURE}")
    _refuse_unmoved(conf, configuration)
    return _target(conf, path, [(one, file) for one, file in tracked if file])


def _refuse_unmoved(conf: str, configuration: Configuration) -> None:
    """Refuse instances whose weights Keepalived ignores (keepalived.conf(5), track_file)."""
    for group, members in configuration.groups.items():
        if group not in configuration.weighted_groups:
            raise Invalid(
                f"{conf}: {members[0]} is in the sync group {group}, where Keepalived ignores weights, and would not "
                "move; write sync_group_tracking_weight in the group, and the same weight for all its members"
            )
    owner = next((one.name for one in configuration.instances if one.priority == OWNER), "")
    if owner:
        raise Invalid(f"{conf}: {owner} has priority {OWNER}, which nothing lowers; write {OWNER - 1} at most")


def _same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _tracked(instance: VrrpInstance, names: set[str]) -> Tracked | None:
    return next((one for one in instance.files if one.file.name in names), None)


def _target(conf: str, path: str, tracked: Sequence[tuple[VrrpInstance, Tracked]]) -> Target:
    for instance, file in tracked:
        if not file.weight:
            raise Invalid(
                f"{conf}: {instance.name} tracks {file.file.name} with weight 0, so that a drain were a FAULT and the "
                f"node no last resort; {CURE}"
            )
    weights = [file.signed for _, file in tracked]
    fault = fault_number(weights)
    if not fault:
        raise Invalid(f"{conf}: {tracked[0][1].file.name} has positive and negative weights; {CURE}")
    most = max(map(abs, weights))
    # A negative weight is what a drain takes from the priority; with a positive one the number in the file says it.
    lowered = 1 if fault > 0 else -(RANKS // most)
    if not lowered or most * abs(lowered) >= -FAULT:
        raise Invalid(f"{conf}: weight {most} of {tracked[0][1].file.name} makes a FAULT of any number; {CURE}")
    return Target(path, tuple(one for one, _ in tracked), lowered, fault)
