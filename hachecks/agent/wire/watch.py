"""The watch of the segment: it hears and asks four times a second, and has what is wrong told."""

from __future__ import annotations

from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING

from hachecks.agent.wire.judge import Judge
from hachecks.agent.wire.subject import BACKUP, MASTER, UNKNOWN, Subject
from hachecks.exporter.beat import beat
from hachecks.exporter.source import SourceHealth
from hachecks.wire import report
from hachecks.wire.addresses import own_macs
from hachecks.wire.asking import interface_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hachecks.agent.wire.ears import Ears
    from hachecks.agent.wire.judge import Finding
    from hachecks.exporter.sources import Sources
    from hachecks.exporter.view import View
    from hachecks.keepalived.configuration import VrrpInstance

TICK, IDLE_TICK = 0.25, 1.0
"""Seconds between two looks, and while there is nothing to judge."""
LEARN_INTERVAL = 0.9
"""Seconds between two looks at what Keepalived said, while no address comes or goes."""
OWN_INTERVAL = 30.0
"""Seconds after which this node's hardware addresses are read again."""
LOOK_BEHIND = 1.2
"""Advert intervals for which it is seen whether adverts get behind the firewall."""
LOOPBACK = "lo"
LATELY = 60.0
"""Seconds for which a metric tells of what was found: a scrape comes in that time."""
MOST_TOLD = 8
"""Sentences that are told at once: with 255 VIPs a switch that fails makes as many."""


class WireWatch:
    """Hears and asks for the VIPs of a node; `view` is what the exporter knows now."""

    def __init__(self, ears: Ears, directory: str, tell: Callable[[str], None]) -> None:
        self.ears = ears
        self.directory = directory
        self.tell = tell
        self.health = SourceHealth("segment", tell)
        self.judge = Judge()
        self.heard = self.asked = self.lost = 0
        self._view: Callable[[], View]
        self._sources: Sources
        self._stale = True
        self._learned_at = self._own_at = self._written_at = 0.0
        self._known: tuple[object, ...] = ()
        self._built_of: tuple[object, ...] = ()
        self._told: tuple[str, ...] = ()
        self._lately: dict[tuple[str, str], float] = {}
        self._since: dict[tuple[str, str], float] = {}

    @property
    def watches(self) -> bool:
        """Whether the segment is heard at all."""
        return self.ears.tap is not None

    @property
    def counts(self) -> Counter[str]:
        """How many instances something was wrong with lately, by its kind: so long that no scrape misses it."""
        oldest = monotonic() - LATELY
        self._lately = {key: at for key, at in self._lately.items() if at > oldest}
        return Counter(kind for kind, _ in self._lately)

    async def follow(self, sources: Sources, view: Callable[[], View]) -> None:
        """Watch for ever."""
        self._sources, self._view = sources, view
        if not self.ears.tap:
            sources.hint(self.ears.remark)
            return await _for_ever()
        sources.addresses.listeners.append(self._wake)
        while True:
            with self.health.looked_at():
                self.tick(monotonic())
                self.health.succeeded(changed=False)
            await beat(TICK if self.judge.subjects and sources.running.runs else IDLE_TICK)

    def _wake(self) -> None:
        self._stale = True

    def tick(self, now: float) -> None:
        """Hear what there is, learn, ask and judge."""
        tap = self.ears.tap
        assert tap is not None  # noqa: S101 - `follow` sees to it
        for said in tap.hear(0.0):
            self.heard += 1
            self.judge.hear(said, now)
        if self._stale or now - self._learned_at >= LEARN_INTERVAL:
            self.learn(now)
        if self._sources.running.runs:
            for vip in self.judge.due(now):
                self._ask(vip.address, vip.interface)
        self._look_behind(now)
        self.show(self.judge.look(now) if self._sources.running.runs else [], now)

    def _ask(self, address: str, interface: str) -> None:
        try:
            self.ears.tap.ask(address, interface)  # type: ignore[union-attr]
        except OSError:  # an interface that is gone or down, which is Keepalived's to tell
            return
        self.asked += 1

    def learn(self, now: float) -> None:
        """Take in what Keepalived, its configuration and the kernel say, where that is another than before."""
        sources, self._learned_at = self._sources, now
        if self._stale:
            self._stale = False
            sources.refresh()
        else:
            sources.refresh_said()
        self.lost += self.ears.tap.lost() if self.ears.tap else 0
        present = sources.addresses.present()
        known = (sources.configuration.configuration, sources.journal.said, sources.running, present)
        if now - self._own_at >= OWN_INTERVAL:
            self._own_at, self._known = now, ()
        if len(known) == len(self._known) and all(one is other for one, other in zip(known, self._known)):
            return
        self.judge.own, self.judge.here = {mac.hex(":") for mac in own_macs()}, present.links.keys()
        self._known = known
        built_of = (sources.configuration.configuration, present.names)
        if built_of != self._built_of:
            self._built_of = built_of
            self.judge.watch(subjects(sources.configuration.configuration.instances))
        if not sources.running.runs:
            self.judge.forget()
            return
        self._enter(self._view(), now)

    def _enter(self, view: View, now: float) -> None:
        by_name = {one.name: one for one in self.judge.subjects.values()}
        delay = self._sources.configuration.configuration.startup_delay
        # Who was killed as MASTER and starts again has none of its VIPs yet, whatever was said last.
        without = {one.instance for one in view.vips if one.present is False}
        without -= {one.instance for one in view.vips if one.present is not False}
        for instance in view.instances:
            subject = by_name.get(instance.name)
            if subject:
                state = UNKNOWN if instance.state == MASTER and instance.name in without else instance.state
                # On the clock by which packets are dated here; a clock that is set does not change what was said.
                age = max(0.0, view.at - instance.since) if instance.since is not None else 0.0
                same = subject.state == state and abs(subject.since - (now - age)) < 1.0
                since = subject.since if same else now - age
                subject.enter(state, since, instance.priority)
                # Where its start cannot be seen, the state that was entered last may be the first one.
                started = self._sources.running.started
                subject.ready = (
                    (since if started is None else now - max(0.0, view.at - started)) + delay if delay else 0.0
                )

    def _look_behind(self, now: float) -> None:
        """See whether what arrives for an instance that should obey it gets to Keepalived's kind of socket."""
        behind = self.ears.behind
        if behind is None:
            return
        puzzles = {(subject.name, one.source): (subject, one) for subject, one in self.judge.puzzles(now)}
        self._since = {key: self._since.get(key, now) for key in puzzles}
        self.judge.through = {key: one for key, one in self.judge.through.items() if key in puzzles}
        if not puzzles:
            behind.shut()
            return
        behind.open()
        through = behind.heard()
        for key, (subject, one) in puzzles.items():
            if (one.source, subject.id) in through:
                self.judge.through[key] = True
            elif one.last - self._since[key] > LOOK_BEHIND * one.interval:
                self.judge.through.setdefault(key, False)

    def show(self, findings: list[Finding], now: float) -> None:
        """Have it told what is wrong, here and in a file for others."""
        self._lately.update({(one.kind, one.instance): now for one in findings})
        sentences = tuple(sorted(one.sentence for one in findings))
        if sentences != self._told:
            new = [one for one in sentences if one not in self._told]
            for one in new[:MOST_TOLD]:
                self.tell(one)
            if len(new) > MOST_TOLD:
                self.tell(f"and {len(new) - MOST_TOLD} more conflicts on the segment, which the status page has")
            if self._told and not sentences:
                self.tell("on the segment all is well again")
            self._sources.conflict(sentences)
        if sentences != self._told or (sentences and now - self._written_at >= report.EVERY):
            self._written_at = now
            try:
                report.write(self.directory, sentences)
            except OSError:  # who has no state has said so
                pass
        self._told = sentences

    def alone(self, now: float) -> list[str]:
        """The names of the instances that are watched, are BACKUP, and of which no master is heard."""
        found = self.judge.subjects.values()
        return [one.name for one in found if one.state == BACKUP and not one.speaking(now, ours=True)]


def subjects(instances: Iterable[VrrpInstance]) -> list[Subject]:
    """What is watched of these instances."""
    return [
        Subject(
            one,
            {
                vip.address: interface
                for vip in one.addresses
                if (interface := interface_for(vip.interface, one.interface)) != LOOPBACK
            },
        )
        for one in instances
        if one.interface and one.vrid
    ]


async def _for_ever() -> None:
    while True:
        await beat(3600.0)
