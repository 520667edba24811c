"""What do the sources say together? Instances and VIPs as values, made of what each source says by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.exporter import consistency
from hachecks.exporter.stories import InstanceHistory
from hachecks.exporter.view import Instance, Vip
from hachecks.keepalived.configuration import VrrpInstance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hachecks.exporter.addresses import Addresses
    from hachecks.exporter.stories import InstanceHistories
    from hachecks.keepalived.configuration import Configuration
    from hachecks.keepalived.json_dump import Dump
    from hachecks.keepalived.process import Running

RESTART_SLACK = 2.0
"""Seconds by which a word of Keepalived's may seem older than itself, clock ticks being what both are dated by."""
GROUP_SLACK = 2.0
"""Seconds by which a group's word may be later than its member's: Keepalived says both in the same instant."""
ORDER = ("UNKNOWN", "FAULT", "MASTER", "BACKUP", "STOP")


class Sources(NamedTuple):
    """What the sources say: `boot` is the kernel's, `addresses` is None where they could not be read."""

    configuration: Configuration
    stories: InstanceHistories
    dumps: Mapping[str, Dump]
    running: Running
    boot: str
    addresses: Addresses | None


class Picture(NamedTuple):
    """The instances, their VIPs with the worst first, and whose words each instance's state is made of."""

    instances: tuple[Instance, ...]
    vips: tuple[Vip, ...]
    told: Mapping[str, InstanceHistory]


def picture(sources: Sources) -> Picture:
    """Everything that there is to say of instances and VIPs."""
    configured = {instance.name: instance for instance in sources.configuration.instances}
    # Where no configuration is known, what Keepalived speaks of is all there is.
    unknown = {name: VrrpInstance(name, "", None, None, True, (), ()) for name in sorted(sources.stories.of)}
    chosen = configured or unknown
    told = dict(_told(sources, chosen))
    instances = tuple(_instance(sources, one, told[one.name]) for one in chosen.values())
    states = {instance.name: instance.state for instance in instances}
    vips = [vip for one in chosen.values() for vip in _vips_of(sources, one, states[one.name])]
    rank = {state: place for place, state in enumerate(ORDER)}
    worst_first = sorted(vips, key=lambda vip: (not vip.trouble, rank[states[vip.instance]]))
    return Picture(instances, tuple(worst_first), told)


def _told(sources: Sources, names: Iterable[str]) -> Iterator[tuple[str, InstanceHistory]]:
    """Whose words tell of an instance: its own, or those of its sync group where it says nothing itself.

    The members of a group are in the group's state, and many configurations have `notify` in the group only.
    """
    stories = sources.stories
    group_of = {member: group for group, members in sources.configuration.groups.items() for member in members}
    for name in names:
        own = stories.of.get(name, InstanceHistory())
        group = stories.groups.get(group_of.get(name, ""))
        yield name, group if group and _speaks_for(group, own, sources) else own


def _speaks_for(group: InstanceHistory, own: InstanceHistory, sources: Sources) -> bool:
    if not _is_of_now(group, sources):
        return False
    own_since = own.since if _is_of_now(own, sources) else None
    return own_since is None or (group.since or 0.0) > own_since + GROUP_SLACK


def _is_of_now(story: InstanceHistory, sources: Sources) -> bool:
    """Whether it was told by the Keepalived that runs now, as far as can be seen."""
    started = sources.running.started
    return (
        story.since is not None
        and story.boot == sources.boot
        and (started is None or story.since >= started - RESTART_SLACK)
    )


def _state(story: InstanceHistory, sources: Sources) -> str:
    """What was said last, if there is a Keepalived that stands behind it."""
    silent = sources.running.runs is False and story.state != "STOP"
    return story.state if _is_of_now(story, sources) and not silent else "UNKNOWN"


def _instance(sources: Sources, configured: VrrpInstance, story: InstanceHistory) -> Instance:
    dump = sources.dumps.get(configured.name)
    state = _state(story, sources)
    since = story.changes[-1][0] if story.changes and state != "UNKNOWN" else None
    if state == "UNKNOWN" and dump and sources.running.runs is not False:
        state, since = dump.state, dump.last_transition
    own = sources.stories.of.get(configured.name, InstanceHistory())  # a group says no priority
    return Instance(
        name=configured.name,
        interface=configured.interface,
        vrid=configured.vrid,
        family=configured.family,
        base_priority=configured.priority,
        state=state,
        since=since,
        priority=own.priority if own.priority is not None else dump.effective_priority if dump else None,
        why="",
        entered=dict(story.entered),
        master_seconds=story.served,
        timeline=tuple(story.changes),
        released=story.left_master,
    )


def _vips_of(sources: Sources, instance: VrrpInstance, state: str) -> Iterator[Vip]:
    addresses, runs = sources.addresses, sources.running.runs
    for one in instance.addresses:
        there = addresses.interfaces_with(one.address, one.interface) if addresses else ()
        wanted = consistency.expected(state, runs)
        judged = addresses is not None and wanted is not None
        yield Vip(
            address=one.address,
            instance=instance.name,
            interface=one.interface,
            prefixlen=one.prefixlen,
            excluded=one.excluded,
            present_on=there,
            present=bool(there) if addresses else None,
            expected=wanted,
            trouble=consistency.mismatch(one.address, state, runs, there, bool(wanted)) if judged else "",
        )
