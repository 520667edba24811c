"""What is known of this node? Looks at every source, and puts together what they say."""

from __future__ import annotations

import os
import time
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from hachecks import __version__, homes, state
from hachecks.exporter import consistency, queues
from hachecks.exporter.addresses import Addresses
from hachecks.exporter.checks import Checks
from hachecks.exporter.configuration import ConfigurationSource
from hachecks.exporter.exposition import labels
from hachecks.exporter.fifo import FifoSource
from hachecks.exporter.picture import Sources, picture
from hachecks.exporter.source import SourceHealth
from hachecks.exporter.stories import InstanceHistories, InstanceHistory
from hachecks.exporter.view import Instance, Notifier, View, Vip
from hachecks.keepalived.json_dump import KeepalivedJson, Unavailable
from hachecks.keepalived.process import KeepalivedProcess, Running
from hachecks.state import boot_id
from hachecks.transitions import follower, journal
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from hachecks.delivery.queue_state import Queue
    from hachecks.keepalived.json_dump import Dump
    from hachecks.node import Node
    from hachecks.transitions.event import Event

MOMENT = 0.05
"""Seconds for which the history is read at a time."""
SOME = 200
"""Events between two looks at the clock."""
JSON = "keepalived_json"


class NodeSources:
    """All sources of one node. `refresh` looks at those that do not call by themselves; it never waits."""

    def __init__(self, node: Node, tell: Callable[[str], None]) -> None:
        self.node = node
        self.name = node.name
        self.tell = tell
        self.fifo: FifoSource | None = None
        self.json: KeepalivedJson | None = None
        self.places = node.places
        self.boot = boot_id()
        names = ("netlink", "configuration", "journal", "verdicts", "queues", "process")
        self.sources = {one: SourceHealth(one, tell) for one in names}
        self.addresses = Addresses(self.sources["netlink"])
        self.configuration = ConfigurationSource(node, self.sources["configuration"])
        self._users = journal.trusted_users()
        self._begin_anew()
        self.checks = Checks(self._directories_of_checks, node.environ, self.sources["verdicts"])
        self.process = KeepalivedProcess()
        self.running = Running(None, None, False, "nobody has looked yet")
        self.queues: list[Queue] = []
        self.dumps: Mapping[str, Dump] = {}
        self._configured: object = None
        self.instances: tuple[Instance, ...] = ()
        self.vips: tuple[Vip, ...] = ()
        self.told: Mapping[str, InstanceHistory] = {}
        self.labels_of_instances: Mapping[str, str] = {}
        self.is_behind = False
        self._unread: Iterator[Event] | None = None
        self._built: object = None
        self.version = 0
        self._looks: dict[str, Callable[[], None]] = {
            "configuration": self._read_configuration,
            "journal": self._read_journal,
            "verdicts": self.checks.refresh,
            "queues": self._read_queues,
            "process": self._look_for_keepalived,
        }

    def _directories_of_checks(self) -> list[str]:
        """Where the checks leave their verdicts: what they are told, or what of theirs stands in for it."""
        return homes.readable((self.places[0], state.SHARED), self.follower.users)

    def refresh(self) -> None:
        """Look at everything that may have changed; a source that cannot be read says so, and the rest goes on."""
        now = time.time()
        for name, look in self._looks.items():
            with self.sources[name].looked_at():
                look()
        for story in self.stories.all():
            story.set_keepalived_alive(self.running.runs is not False, now)
        built = (
            self._configured,
            *(self.sources[name].version for name in ("netlink", "journal")),
            self.running,
            self.dumps,
            self._has_heard_all,
        )
        if built != self._built:
            self._built = built
            self.version += 1
            with self.sources["configuration"].looked_at():
                self._build(now)

    def _begin_anew(self) -> None:
        self.follower = follower.EventFollower(self.places, self._users)
        self.stories = InstanceHistories()
        self._has_heard_all = False

    def _read_configuration(self) -> None:
        self.configuration.refresh()
        if self._configured is not self.configuration.configuration:
            self._configured = self.configuration.configuration
            self.checks.configure(self.configuration.configuration)
            self._users = self.follower.users = journal.trusted_users(self.configuration.configuration.script_users)

    def _read_queues(self) -> None:
        self.queues = queues.latest(self.follower.directories())
        self.sources["queues"].succeeded(changed=False)

    def _look_for_keepalived(self) -> None:
        self.running = self.process.look(self._expects_sockets())
        self.sources["process"].succeeded(changed=False)

    def _expects_sockets(self) -> bool:
        """Whether Keepalived, if it runs, listens: it does on every interface that exists, up or down."""
        names = {link.name for link in self.addresses.links.values()}
        return any(instance.interface in names for instance in self.configuration.configuration.instances)

    def _read_journal(self) -> None:
        """Hear what is new, for a moment at most: a week's history would hold up everybody for seconds."""
        source, began = self.sources["journal"], time.monotonic()
        unread, self._unread = self._unread or self.follower.read_on(), None
        self.is_behind, events = False, 0
        try:
            for event in unread:
                self.stories.hear([event])
                events += 1
                if events % SOME == 0 and time.monotonic() > began + MOMENT:
                    self._unread, self.is_behind = unread, True
                    return
        except Exception:
            self._begin_anew()  # the follower is further than what was heard
            raise
        self._has_heard_all = True
        if self.follower.trouble:
            source.failed(self.follower.trouble)
        elif not any(os.path.lexists(os.path.join(one, journal.NAME)) for one in self.follower.directories()):
            places = " or ".join(self.places)
            source.failed(f"nothing is recorded in {places}; have Keepalived call `hacheck notify`")
        else:
            source.succeeded(bool(events), time.monotonic() - began)

    def _build(self, now: float) -> None:
        """Put together what netlink, the journal and the configuration say; done when one of them has changed."""
        self.stories.forget(now)
        sources = Sources(
            configuration=self.configuration.configuration,
            # Before all is heard, the last word that is known is an old one.
            stories=self.stories if self._has_heard_all else InstanceHistories(),
            dumps=self.dumps,
            running=self.running,
            boot=self.boot,
            addresses=self.addresses if self.sources["netlink"].up else None,
        )
        self.instances, self.vips, self.told = picture(sources)
        self.labels_of_instances = {instance.name: labels(vrrp_instance=instance.name) for instance in self.instances}

    def view(self) -> View:
        """Everything that is known, as values."""
        now = time.time()
        configured = self.configuration.configuration.instances
        hints = (*consistency.hints(configured, self.instances, self.running.runs), *self.follower.passed_over)
        return View(
            node=visible(self.name),
            version=__version__,
            at=now,
            keepalived_runs=self.running.runs,
            vips=self.vips,
            instances=tuple(self._with_reason(instance, now) for instance in self.instances),
            checks=self.checks.view(now),
            notifiers=tuple(
                Notifier(queue.name, queue.waiting, queue.trouble, queue.last_success) for queue in self.queues
            ),
            sources=tuple(source.snapshot() for source in self.sources.values()),
            hints=tuple(map(visible, hints)),
            findings=tuple(map(visible, self.configuration.configuration.findings)),
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
        source = self.sources["fifo"] = SourceHealth("fifo", self.tell)
        self.fifo = FifoSource(path, self.node, source, self.tell)
        self._looks = {"fifo": self.fifo.refresh, **self._looks}

    def ask_for_json(self, directory: str, pid_file: str) -> None:
        """Also ask Keepalived for its JSON, at each scrape."""
        self.sources[JSON] = SourceHealth(JSON, self.tell)
        self.json = KeepalivedJson(directory, pid_file)

    async def ask_keepalived(self, within: float) -> None:
        """Ask for the JSON if that is wanted; what was said before counts no more, whatever comes of it."""
        if self.json is None:
            return
        began, self.dumps = time.monotonic(), {}
        try:
            self.dumps = await self.json.ask(within)
        except Unavailable as error:
            self.sources[JSON].failed(str(error))
        else:
            self.sources[JSON].succeeded(True, time.monotonic() - began)

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
        """Whether the sources have been asked once, and what was remembered is read."""
        asked = [self.sources[name] for name in ("netlink", "configuration", "journal")]
        return all(source.up or source.errors for source in asked)
