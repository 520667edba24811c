"""The view builder: makes the View of a snapshot, and makes anew only what has news, since a scrape waits for it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from hachecks import __version__
from hachecks.exporter import consistency
from hachecks.exporter.instance_history import History
from hachecks.exporter.view import Instance, Notifier, View, Vip
from hachecks.keepalived.configuration import VrrpInstance
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from hachecks.delivery.queue_state import Queue
    from hachecks.exporter.snapshot import Snapshot
    from hachecks.exporter.sources import Sources
    from hachecks.exporter.view import Check
    from hachecks.group.judgement import Group
    from hachecks.keepalived.json_dump import Dump
    from hachecks.keepalived.process import Running

RESTART_SLACK = 2.0
"""Seconds by which a word of Keepalived's may seem older than itself, clock ticks being what both are dated by."""
GROUP_SLACK = 2.0
"""Seconds by which a group's word may be later than its member's: Keepalived says both in the same instant."""
NOTHING_SAID = History()


class Facts(NamedTuple):
    """All that the values of one instance are made of; `there` are the interfaces of each VIP, where they are known."""

    configured: VrrpInstance
    own: History
    group: History | None
    dump: Dump | None
    running: Running
    boot: str
    there: tuple[tuple[str, ...], ...] | None


class InstanceValues(NamedTuple):
    """An instance and its VIPs."""

    instance: Instance
    vips: tuple[Vip, ...]


class Picture(NamedTuple):
    """The instances and VIPs, in the order of the configuration."""

    instances: tuple[Instance, ...] = ()
    vips: tuple[Vip, ...] = ()


class Pictures:
    """Makes pictures of snapshots, each of the values of the one before where these have not changed."""

    def __init__(self) -> None:
        self.latest = Picture()
        self._seen: tuple[object, ...] = ()
        self._common: tuple[object, ...] = ()
        self._made: dict[str, tuple[Facts, InstanceValues]] = {}

    def of(self, snapshot: Snapshot) -> Picture:
        """Everything that there is to say of instances and VIPs."""
        parts = (snapshot.configuration, snapshot.said, snapshot.dumps, snapshot.running, snapshot.present)
        if parts != self._seen:
            common = (snapshot.configuration, snapshot.running, snapshot.present, snapshot.boot)
            known = self._made if common == self._common else {}
            made = {name: self._values(facts) for name, facts in _facts(snapshot, known)}
            values = [values for _, values in made.values()]
            self.latest = Picture(
                tuple(one.instance for one in values), tuple(vip for one in values for vip in one.vips)
            )
            self._made, self._seen, self._common = made, parts, common
        return self.latest

    def _values(self, facts: Facts) -> tuple[Facts, InstanceValues]:
        before = self._made.get(facts.configured.name)
        if before and (before[0] is facts or before[0] == facts):
            return before
        values = instance_values(facts)
        return facts, _kept(before[1], values) if before else values


def _kept(old: InstanceValues, new: InstanceValues) -> InstanceValues:
    """The new values, of which those that say the same are the old objects."""
    vips = {vip.address: vip for vip in old.vips}
    return InstanceValues(
        old.instance if old.instance == new.instance else new.instance,
        tuple(before if (before := vips.get(vip.address)) == vip else vip for vip in new.vips),
    )


def _facts(snapshot: Snapshot, known: Mapping[str, tuple[Facts, InstanceValues]]) -> Iterator[tuple[str, Facts]]:
    """What is known of each instance: of those that are configured, or else of those that Keepalived speaks of.

    `known` are the facts of before where nothing has changed that all instances have in common: of 255 instances mostly
    one has news.
    """
    said, running, present = snapshot.said, snapshot.running, snapshot.present
    group_of = {member: group for group, members in snapshot.configuration.groups.items() for member in members}
    configured: Iterable[VrrpInstance] = snapshot.configuration.instances
    for one in configured or [VrrpInstance(name, "", None, None, True, (), ()) for name in sorted(said.instances)]:
        own, dump = said.instances.get(one.name, NOTHING_SAID), snapshot.dumps.get(one.name)
        group = said.groups.get(group_of.get(one.name, ""))
        before = known.get(one.name)
        if before and before[0].own is own and before[0].group is group and before[0].dump is dump:
            yield one.name, before[0]
        else:
            there = present and tuple(present.interfaces_with(vip.address, vip.interface) for vip in one.addresses)
            yield one.name, Facts(one, own, group, dump, running, snapshot.boot, there)


def instance_values(facts: Facts) -> InstanceValues:
    """The instance and its VIPs."""
    configured, dump, runs = facts.configured, facts.dump, facts.running.runs
    history = _speaker(facts)
    state = _state(history, facts)
    since = history.changes[-1][0] if history.changes and state != "UNKNOWN" else None
    if state == "UNKNOWN" and dump and runs is not False:
        state, since = dump.state, dump.last_transition
    priority = facts.own.priority  # a group says none
    instance = Instance(
        name=configured.name,
        interface=configured.interface,
        vrid=configured.vrid,
        family=configured.family,
        base_priority=configured.priority,
        state=state,
        since=since,
        priority=priority if priority is not None else dump.effective_priority if dump else None,
        why="",
        entered=history.entered,
        master_seconds=history.master_seconds,
        timeline=history.changes,
        released=history.left_master,
        master_since=history.master_since,
        scripts=configured.scripts,
    )
    return InstanceValues(instance, tuple(_vips(facts, state)))


def _speaker(facts: Facts) -> History:
    """Whose words tell of an instance: its own, or those of its sync group where it says nothing itself.

    The members of a group are in the group's state, and many configurations have `notify` in the group only.
    """
    own, group = facts.own, facts.group
    if group is None or not _is_of_now(group, facts):
        return own
    own_since = own.since if _is_of_now(own, facts) else None
    return group if own_since is None or (group.since or 0.0) > own_since + GROUP_SLACK else own


def _is_of_now(history: History, facts: Facts) -> bool:
    """Whether it was told by the Keepalived that runs now, as far as can be seen."""
    started = facts.running.started
    return (
        history.since is not None
        and history.boot == facts.boot
        and (started is None or history.since >= started - RESTART_SLACK)
    )


def _state(history: History, facts: Facts) -> str:
    """What was said last, if there is a Keepalived that stands behind it."""
    silent = facts.running.runs is False and history.state != "STOP"
    return history.state if _is_of_now(history, facts) and not silent else "UNKNOWN"


def _vips(facts: Facts, state: str) -> list[Vip]:
    configured, runs = facts.configured, facts.running.runs
    expected = consistency.expected(state, runs)
    found = []
    for number, one in enumerate(configured.addresses):
        there = facts.there[number] if facts.there is not None else ()
        judged = facts.there is not None and expected is not None
        found.append(
            Vip(
                address=one.address,
                instance=configured.name,
                interface=one.interface,
                prefixlen=one.prefixlen,
                excluded=one.excluded,
                present_on=there,
                present=bool(there) if facts.there is not None else None,
                expected=expected,
                trouble=consistency.mismatch(one.address, state, runs, there, bool(expected)) if judged else "",
                state=state,
                vrid=configured.vrid,
                family=configured.family,
                carrier=configured.interface,
            )
        )
    return found


class ViewBuilder:
    """Builds the View of a node's sources."""

    def __init__(self, sources: Sources, group: Callable[[], Group | None] = lambda: None) -> None:
        self.sources = sources
        self._group = group
        self._pictures = Pictures()
        self._kept: dict[str, tuple[object, tuple[Any, ...]]] = {}

    def view(self) -> View:
        """Everything that is known now; the sources are to be refreshed before."""
        now, snapshot = time.time(), self.sources.snapshot()
        with self.sources.health["configuration"].looked_at():
            self._pictures.of(snapshot)
        picture, runs = self._pictures.latest, snapshot.running.runs
        configured, queues = snapshot.configuration, snapshot.queues
        fresh = snapshot.checks.freshness(now)
        unspoken = self._cached(
            "unspoken", (picture.instances, runs), lambda: consistency.unspoken(picture.instances, runs)
        )
        shared = self._cached("shared", configured.instances, lambda: consistency.shared_vips(configured.instances))
        checks: tuple[Check, ...] = self._cached("checks", (snapshot.checks, fresh), lambda: snapshot.checks.view(now))
        return View(
            node=snapshot.node,
            version=__version__,
            at=now,
            keepalived_runs=runs,
            vips=picture.vips,
            instances=self._cached(
                "instances", (picture.instances, checks), lambda: with_reasons(picture.instances, checks)
            ),
            checks=checks,
            notifiers=self._cached("notifiers", queues, lambda: map(_notifier, queues)),
            sources=snapshot.sources,
            hints=self._cached(
                "hints", (unspoken, shared, snapshot.hints), lambda: map(visible, (*unspoken, *shared, *snapshot.hints))
            ),
            findings=self._cached(
                "findings",
                (configured.findings, snapshot.remarks),
                lambda: map(visible, (*configured.findings, *snapshot.remarks)),
            ),
            keepalived_started=snapshot.running.started,
            events=snapshot.said.events,
            dumps=snapshot.dumps,
            multicast=snapshot.multicast,
            drained=snapshot.drained,
            group=self._group(),
            conflicts=self._cached("conflicts", snapshot.conflicts, lambda: map(visible, snapshot.conflicts)),
        )

    def _cached(self, name: str, made_of: object, make: Callable[[], Iterable[Any]]) -> tuple[Any, ...]:
        """What was made the last time, unless it was made of something else."""
        before = self._kept.get(name)
        if before is None or before[0] != made_of:
            before = self._kept[name] = (made_of, tuple(make()))
        return before[1]


def _notifier(queue: Queue) -> Notifier:
    return Notifier(queue.name, queue.waiting, queue.trouble, queue.last_success, queue)


def with_reasons(instances: Iterable[Instance], checks: Iterable[Check]) -> Iterator[Instance]:
    """The instances, those in FAULT with the reason of the first check they track that fails right now."""
    failing = {script: check.reason for check in checks if check.passes is False for script in check.scripts}
    if not failing:
        yield from instances
        return
    for instance in instances:
        reasons = (failing[script] for script in instance.scripts if script in failing)
        why = next(reasons, "") if instance.state == "FAULT" else ""
        yield replace(instance, why=why) if why else instance
