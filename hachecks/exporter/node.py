"""What is known of this node? Looks at every source, and puts together what they say."""

from __future__ import annotations

import os
import time
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from hachecks import __version__, delivery, history, journal
from hachecks.exporter import judgement
from hachecks.exporter.addresses import Addresses
from hachecks.exporter.checks import Checks
from hachecks.exporter.configuration import ConfigurationSource
from hachecks.exporter.exposition import labels
from hachecks.exporter.fifo import FifoSource
from hachecks.exporter.keepalived_json import KeepalivedJson, Unavailable
from hachecks.exporter.process import KeepalivedProcess
from hachecks.exporter.source import Source
from hachecks.exporter.stories import Stories, Story
from hachecks.exporter.view import Instance, Notifier, View, Vip
from hachecks.keepalived import VrrpInstance
from hachecks.transition import boot_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hachecks.delivery import Queue
    from hachecks.exporter.keepalived_json import Dump
    from hachecks.status import NameOfCheck

RESTART_SLACK = 2.0
"""Seconds by which a word of Keepalived's may seem older than itself, clock ticks being what both are dated by."""
JSON = "keepalived_json"
ORDER = ("UNKNOWN", "FAULT", "MASTER", "BACKUP", "STOP")


class Node:
    """All sources of one node. `refresh` looks at those that do not call by themselves; it never waits."""

    def __init__(
        self,
        name: str,
        configuration: tuple[str, str],
        directories: Sequence[str],
        environ: Mapping[str, str],
        name_of_check: NameOfCheck,
        tell: Callable[[str], None],
    ) -> None:
        self.name = name
        self.environ = environ
        self.tell = tell
        self.fifo: FifoSource | None = None
        self.json: KeepalivedJson | None = None
        self.directories = directories
        self.boot = boot_id()
        self.sources = {one: Source(one, tell) for one in ("netlink", "configuration", "journal", "verdicts")}
        self.addresses = Addresses(self.sources["netlink"])
        self.configuration = ConfigurationSource(*configuration, environ, self.sources["configuration"])
        self.checks = Checks(directories[0], environ, name_of_check, self.sources["verdicts"])
        self.follower = history.Follower(directories)
        self.stories = Stories()
        self.process = KeepalivedProcess()
        self.running = self.process.look(expects_sockets=False)
        self.queues: list[Queue] = []
        self.dumps: Mapping[str, Dump] = {}
        self._configured: object = None
        self.instances: tuple[Instance, ...] = ()
        self.vips: tuple[Vip, ...] = ()
        self.labels_of_instances: Mapping[str, str] = {}
        self._built: object = None
        self.version = 0

    def refresh(self) -> None:
        """Look at everything that may have changed."""
        now = time.time()
        self.configuration.refresh()
        if self._configured is not self.configuration.configuration:
            self._configured = self.configuration.configuration
            self.checks.configure(self.configuration.configuration)
        if self.fifo:
            self.fifo.refresh()
        self._read_journal()
        self.checks.refresh()
        self.queues = self._latest_queues()
        self.running = self.process.look(self._expects_sockets())
        for story in self.stories.of.values():
            story.speaks_for_itself(self.running.runs is not False, now)
        built = (
            self._configured,
            *(self.sources[name].version for name in ("netlink", "journal")),
            self.running,
            self.dumps,
        )
        if built != self._built:
            self._built = built
            self.version += 1
            self._build(now)

    def _expects_sockets(self) -> bool:
        """Whether Keepalived, if it runs, listens: it does on every interface that exists, up or down."""
        names = {link.name for link in self.addresses.links.values()}
        return any(instance.interface in names for instance in self.configuration.configuration.instances)

    def _latest_queues(self) -> list[Queue]:
        """The queue of each notifier; of two in two directories, the one that was told last."""
        found: dict[str, Queue] = {}
        for queue in (queue for directory in self.directories for queue in delivery.queues(directory)):
            other = found.get(queue.name)
            if other is None or (queue.last_success or 0.0) > (other.last_success or 0.0):
                found[queue.name] = queue
        return list(found.values())

    def _read_journal(self) -> None:
        source, began = self.sources["journal"], time.monotonic()
        events = 0
        for event in self.follower.read_on():
            self.stories.hear([event])
            events += 1
        if self.follower.trouble:
            source.fails(self.follower.trouble)
        elif not any(os.path.exists(os.path.join(place, journal.NAME)) for place in self.directories):
            places = " or ".join(self.directories)
            source.fails(f"nothing is recorded in {places}; have Keepalived call `hacheck notify`")
        else:
            source.answers(bool(events), time.monotonic() - began)

    def _build(self, now: float) -> None:
        """Put together what netlink, the journal and the configuration say; done when one of them has changed."""
        self.stories.forget(now)
        configured = {instance.name: instance for instance in self.configuration.configuration.instances}
        # Where no configuration is known, what Keepalived speaks of is all there is.
        unknown = {name: VrrpInstance(name, "", None, None, True, (), ()) for name in self.stories.of}
        chosen = configured or unknown
        self.instances = tuple(self._instance(instance) for instance in chosen.values())
        self.labels_of_instances = {name: labels(vrrp_instance=name) for name in chosen}
        states = {instance.name: instance.state for instance in self.instances}
        vips = [vip for instance in chosen.values() for vip in self._vips_of(instance, states[instance.name])]
        rank = {state: place for place, state in enumerate(ORDER)}
        self.vips = tuple(sorted(vips, key=lambda vip: (not vip.trouble, rank[states[vip.instance]])))

    def _instance(self, configured: VrrpInstance) -> Instance:
        story = self.stories.of.get(configured.name, Story())
        dump = self.dumps.get(configured.name)
        state = self._state(story)
        since = story.changes[-1][0] if story.changes and state != "UNKNOWN" else None
        if state == "UNKNOWN" and dump and self.running.runs is not False:
            state, since = dump.state, dump.last_transition
        return Instance(
            name=configured.name,
            interface=configured.interface,
            vrid=configured.vrid,
            family=configured.family,
            base_priority=configured.priority,
            state=state,
            since=since,
            priority=story.priority if story.priority is not None else dump.effective_priority if dump else None,
            why="",
            entered=dict(story.entered),
            master_seconds=story.served,
            timeline=tuple(story.changes),
            released=story.left_master,
        )

    def _state(self, story: Story) -> str:
        """What was said last, if it was said by the Keepalived that runs now."""
        if story.boot != self.boot or (self.running.runs is False and story.state != "STOP"):
            return "UNKNOWN"
        started = self.running.started
        if started is not None and story.since is not None and story.since < started - RESTART_SLACK:
            return "UNKNOWN"
        return story.state

    def _vips_of(self, instance: VrrpInstance, state: str) -> Iterable[Vip]:
        netlink = self.sources["netlink"].up
        for one in instance.addresses:
            there = self.addresses.interfaces_with(one.address, one.interface) if netlink else ()
            wanted = judgement.expected(state, self.running.runs)
            judged = netlink and wanted is not None
            yield Vip(
                address=one.address,
                instance=instance.name,
                interface=one.interface,
                prefixlen=one.prefixlen,
                excluded=one.excluded,
                present_on=there,
                present=bool(there) if netlink else None,
                expected=wanted,
                trouble=judgement.trouble(one.address, state, self.running.runs, there, bool(wanted)) if judged else "",
            )

    def view(self) -> View:
        """Everything that is known, as values."""
        now = time.time()
        configured = self.configuration.configuration.instances
        return View(
            node=self.name,
            version=__version__,
            at=now,
            keepalived_runs=self.running.runs,
            vips=self.vips,
            instances=tuple(self._with_reason(instance, now) for instance in self.instances),
            checks=self.checks.view(now),
            notifiers=tuple(
                Notifier(queue.name, queue.waiting, queue.trouble, queue.last_success) for queue in self.queues
            ),
            sources=tuple(source.seen() for source in self.sources.values()),
            hints=(
                *judgement.hints(configured, self.instances, self.running.runs),
                *self.configuration.configuration.findings,
            ),
        )

    def _with_reason(self, instance: Instance, now: float) -> Instance:
        if instance.state != "FAULT":
            return instance
        scripts = [one.scripts for one in self.configuration.configuration.instances if one.name == instance.name]
        return replace(instance, why=self.checks.why(scripts[0] if scripts else (), now))

    def multicast_interfaces(self) -> Iterable[tuple[str, str]]:
        """The interfaces on which an instance listens to a multicast group, each with the instance's family."""
        instances = self.configuration.configuration.instances
        return [(one.interface, one.family) for one in instances if not one.unicast and one.interface]

    def follow_fifo(self, path: str) -> None:
        """Also follow Keepalived's notify FIFO."""
        source = self.sources["fifo"] = Source("fifo", self.tell)
        self.fifo = FifoSource(path, self.environ, source, self.tell)

    def ask_for_json(self, directory: str, pid_file: str) -> None:
        """Also ask Keepalived for its JSON, at each scrape."""
        self.sources[JSON] = Source(JSON, self.tell)
        self.json = KeepalivedJson(directory, pid_file)

    async def ask_keepalived(self, within: float) -> None:
        """Ask for the JSON if that is wanted; what was said before counts no more, whatever comes of it."""
        if self.json is None:
            return
        began, self.dumps = time.monotonic(), {}
        try:
            self.dumps = await self.json.ask(within)
        except Unavailable as error:
            self.sources[JSON].fails(str(error))
        else:
            self.sources[JSON].answers(True, time.monotonic() - began)

    def fingerprint(self) -> str:
        """A text that is another when the view is."""
        versions = [self.version, *(source.version for source in self.sources.values())]
        seen = (versions, self.checks.freshness(), self.queues)
        return f"{zlib.crc32(repr(seen).encode()):08x}"

    def close(self) -> None:
        """Let go of what is open."""
        if self.fifo:
            self.fifo.close()

    @property
    def is_ready(self) -> bool:
        """Whether the sources have been asked once."""
        return all(self.sources[name].up or self.sources[name].errors for name in ("netlink", "configuration"))
