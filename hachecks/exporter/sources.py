"""The sources of one node: all that is looked at, each for itself, and the snapshot of what they say together."""

from __future__ import annotations

import os
import time
import zlib
from typing import TYPE_CHECKING

from hachecks import homes, state
from hachecks.drain.state import drained
from hachecks.drain.target import drain_file
from hachecks.exporter.additions import Additions
from hachecks.exporter.addresses import Addresses
from hachecks.exporter.checks import CheckSource
from hachecks.exporter.configuration import ConfigurationSource
from hachecks.exporter.fifo import FifoSource
from hachecks.exporter.journal_source import JournalSource
from hachecks.exporter.queues import QueueSource
from hachecks.exporter.reports import Reports
from hachecks.exporter.snapshot import Snapshot
from hachecks.exporter.source import SourceHealth
from hachecks.keepalived import multicast
from hachecks.keepalived.json_dump import KeepalivedJson, Unavailable
from hachecks.keepalived.process import KeepalivedProcess, Running
from hachecks.state import boot_id
from hachecks.transitions import journal
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hachecks.drain.state import Drain
    from hachecks.keepalived.configuration import VrrpInstance
    from hachecks.keepalived.json_dump import Dump
    from hachecks.node import Node

JSON = "keepalived_json"
FOLLOWED = ("fifo", "configuration")
"""Sources that are looked at each second, whether somebody asks or not."""
SAID = ("fifo", "journal")
"""Sources of what Keepalived says of its instances."""
FOLLOWED_INTERVAL = 5.0
"""Seconds between two looks at the others while nobody asks."""


class Sources:
    """All sources of one node. `refresh` looks at those that do not call by themselves; it never waits."""

    def __init__(self, node: Node, tell: Callable[[str], None], additions: Additions | None = None) -> None:
        self.node = node
        self.tell = tell
        names = ("netlink", "configuration", "journal", "verdicts", "queues", "process")
        self.health = {one: SourceHealth(one, tell) for one in names}
        self.addresses = Addresses(self.health["netlink"])
        self.configuration = ConfigurationSource(node, self.health["configuration"])
        self.journal = JournalSource(node, self.health["journal"])
        self.checks = CheckSource(
            self._directories_of_checks, node.environ, self.health["verdicts"], additions or Additions()
        )
        self.queues = QueueSource(self.journal.directories, self.health["queues"])
        self.process = KeepalivedProcess()
        self.running = Running(None, None, False, "nobody has looked yet")
        self.fifo: FifoSource | None = None
        self.json: KeepalivedJson | None = None
        self.dumps: Mapping[str, Dump] = {}
        self.drain: Drain | None = None
        self.remarks: tuple[str, ...] = ()
        self.conflicts: tuple[str, ...] = ()
        self.hints: tuple[str, ...] = ()
        self.reports = Reports(self._places_of_reports)
        self._followed_at = -FOLLOWED_INTERVAL
        self._boot = boot_id()
        self._configured: object = None
        self._looks: dict[str, Callable[[], None]] = {
            "configuration": self._read_configuration,
            "journal": self.journal.refresh,
            "verdicts": self.checks.refresh,
            "queues": self.queues.refresh,
            "process": self._look_for_keepalived,
        }

    def _directories_of_checks(self) -> list[str]:
        """Where the checks leave their verdicts: what they are told, or what of theirs stands in for it."""
        return homes.readable((self.node.places[0], state.SHARED), self.journal.users)

    def follow_fifo(self, path: str) -> None:
        """Also follow Keepalived's notify FIFO."""
        health = self.health["fifo"] = SourceHealth("fifo", self.tell)
        self.fifo = FifoSource(path, self.node, health, self.tell)
        self._looks = {"fifo": self.fifo.refresh, **self._looks}

    def ask_for_json(self, directory: str, pid_file: str) -> None:
        """Also ask Keepalived for its JSON, at each scrape."""
        self.health[JSON] = SourceHealth(JSON, self.tell)
        self.json = KeepalivedJson(directory, pid_file)

    def refresh(self) -> None:
        """Look at everything that may have changed; a source that cannot be read says so, and the rest goes on."""
        self._look_at(self._looks)

    def follow(self) -> None:
        """Look each second while nobody asks: at what has consequences by itself, and at the rest now and then."""
        now = time.monotonic()
        if self.is_behind or now >= self._followed_at + FOLLOWED_INTERVAL:
            self._followed_at = now
            looks = {**self._looks, "verdicts": self.checks.refresh_now_and_then}
            del looks["queues"]
            self._look_at(looks)
        else:
            self._look_at({name: look for name, look in self._looks.items() if name in FOLLOWED})

    def _look_at(self, looks: Mapping[str, Callable[[], None]]) -> None:
        for name, look in looks.items():
            with self.health[name].looked_at():
                look()
        if "journal" in looks:
            with self.health["journal"].looked_at():
                self.journal.settle(keepalived_alive=self.running.runs is not False)

    def _read_configuration(self) -> None:
        self.configuration.refresh()
        if self._configured is not self.configuration.configuration:
            self._configured = self.configuration.configuration
            self.checks.configure(self.configuration.configuration)
            self.journal.trust(journal.trusted_users(self.configuration.configuration.script_users))

        self._look_for_drain()
        if self.reports.refresh():
            self.health["configuration"].version += 1

    def _places_of_reports(self) -> list[str]:
        """Where the agent and a pod's first process leave word."""
        return homes.readable((self.node.places[0], state.SHARED), {0, os.geteuid()})

    def _look_for_drain(self) -> None:
        found = drained(self.drain_file) if self.drain_file else None
        if found != self.drain:
            self.drain = found
            self.health["configuration"].version += 1

    @property
    def drain_file(self) -> str:
        """The file by which this node is drained; empty where there is none."""
        return drain_file(self.configuration.configuration, self.node.drain_file)

    def drain_in_words(self) -> str:
        """Since when the node is drained, and why; empty while it is not."""
        return self.drain.told if self.drain else ""

    def remark(self, remarks: tuple[str, ...]) -> None:
        """Have these findings beside those of the configuration itself."""
        if remarks != self.remarks:
            self.remarks = remarks
            self.health["configuration"].version += 1

    def conflict(self, sentences: tuple[str, ...]) -> None:
        """Have these contradictions that are seen on the segment."""
        if sentences != self.conflicts:
            self.conflicts = sentences
            self.health["configuration"].version += 1

    def hint(self, sentence: str) -> None:
        """Have it told that something is missing for a full picture."""
        if sentence and sentence not in self.hints:
            self.hints = (*self.hints, sentence)
            self.health["configuration"].version += 1

    def refresh_said(self) -> None:
        """Look at what Keepalived says alone."""
        self._look_at({name: look for name, look in self._looks.items() if name in SAID})

    def _look_for_keepalived(self) -> None:
        running = self.process.look(self._expects_sockets())
        changed = running != self.running
        if changed:
            self.running = running
        self.health["process"].succeeded(changed)

    def _expects_sockets(self) -> bool:
        """Whether Keepalived, if it runs, listens: it does on every interface that exists, up or down."""
        names = self.addresses.present().names
        return any(instance.interface in names for instance in self.configuration.configuration.instances)

    async def ask_keepalived(self, within: float) -> None:
        """Ask for the JSON if that is wanted; what was said before counts no more, whatever comes of it."""
        if self.json is None:
            return
        began, self.dumps = time.monotonic(), {}
        try:
            self.dumps = await self.json.ask(within)
        except Unavailable as error:
            self.health[JSON].failed(str(error))
        else:
            self.health[JSON].succeeded(True, time.monotonic() - began)

    def snapshot(self) -> Snapshot:
        """What all sources said when they were looked at last."""
        configuration = self.configuration.configuration
        return Snapshot(
            node=visible(self.node.name),
            boot=self._boot,
            configuration=configuration,
            said=self.journal.said,
            dumps=self.dumps,
            running=self.running,
            present=self.addresses.present() if self.health["netlink"].up else None,
            checks=self.checks.checks,
            queues=self.queues.queues,
            multicast=tuple(multicast.joined(_multicast_interfaces(configuration.instances))),
            sources=tuple(health.snapshot() for health in self.health.values()),
            hints=(*self.journal.passed_over, *self.hints),
            drained=None if not self.drain_file else self.drain_in_words(),
            remarks=(*self.remarks, *self.reports.remarks) if self.reports.remarks else self.remarks,
            conflicts=self.conflicts or self.reports.conflicts,
        )

    def fingerprint(self) -> str:
        """A text that is another when the snapshot, or what can be made of it, is."""
        versions = [health.version for health in self.health.values()]
        seen = (versions, self.journal.version, self.running, self.checks.checks.freshness(time.time()))
        return f"{zlib.crc32(repr(seen).encode()):08x}"

    def close(self) -> None:
        """Let go of what is open."""
        if self.fifo:
            self.fifo.close()

    @property
    def is_behind(self) -> bool:
        """Whether there is more to be read at once."""
        return self.journal.is_behind

    @property
    def is_undecided(self) -> bool:
        """Whether a moment later it is known whether Keepalived runs."""
        return self.process.is_undecided

    @property
    def is_ready(self) -> bool:
        """Whether the sources have been asked once, and what was remembered is read."""
        asked = [self.health[name] for name in ("netlink", "configuration", "journal")]
        return all(health.up or health.errors for health in asked)


def _multicast_interfaces(instances: Iterable[VrrpInstance]) -> list[tuple[str, str]]:
    """The interfaces on which an instance listens to a multicast group, each with the instance's family."""
    return [(one.interface, one.family) for one in instances if not one.unicast and one.interface]
