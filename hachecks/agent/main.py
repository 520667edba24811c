"""The agent's main: checks in threads, delivery in another, and all else on the exporter's loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from time import monotonic
from typing import TYPE_CHECKING, Any

from hachecks.agent import alike, delivery, lock, metrics, pod, report, systemd
from hachecks.agent.agent_check import AgentChecks
from hachecks.agent.declared import checks_of
from hachecks.agent.drained import Drained
from hachecks.agent.progress import Progress
from hachecks.agent.publisher import Publisher
from hachecks.agent.scheduler import Scheduler
from hachecks.agent.systemd import ServiceManager
from hachecks.agent.tracked import judge
from hachecks.agent.watch.watches import Watches
from hachecks.agent.wire import ears
from hachecks.agent.wire import metrics as wire_metrics
from hachecks.agent.wire.watch import WireWatch
from hachecks.agent.workers import Workers
from hachecks.exporter import main as exporter
from hachecks.exporter.additions import Additions
from hachecks.exporter.beat import beat
from hachecks.registry import Entry
from hachecks.settings import Invalid
from hachecks.transitions import journal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from hachecks.agent.check import AgentCheck
    from hachecks.agent.options import AgentOptions
    from hachecks.agent.peers import Peers
    from hachecks.agent.wire.ears import Ears
    from hachecks.checks.results import CheckResults
    from hachecks.exporter.body import CachedSection
    from hachecks.exporter.own_answer import OwnAnswer
    from hachecks.exporter.sources import Sources
    from hachecks.exporter.view import View
    from hachecks.group.judgement import Group
    from hachecks.node import Node
    from hachecks.pod_report import PodReport

PEERS = Entry("hachecks.agent.peers:Peers", "the peers, with httpx, which takes 4 MiB where any are named")
POLL_INTERVAL = 1.0
"""Seconds between two looks at what the sources have learned."""
SHORT_POLL_INTERVAL = 0.02
"""The same while the agent ends."""


def serve(options: AgentOptions, node: Node, tell: Callable[[str], None]) -> bool:
    """Serve until SIGTERM or SIGINT; returns False where it cannot listen, or another agent runs. Raises `Invalid`."""
    with contextlib.ExitStack() as stack:
        directory = node.state_dir
        try:
            directory = journal.state_directory(node.places)
            stack.enter_context(lock.held(directory))
        except BlockingIOError:
            tell(f"another agent of this user runs with the state directory {directory}; end it, or choose --state-dir")
            return False
        except OSError as error:  # what can be done without state is done
            tell(f"{error.filename or 'state'}: {error.strerror or error}: nothing can be kept or published there")
        # Before any thread runs, each of which would keep the rights that are given up.
        heard = ears.opened(options.wire, node.config, tell)
        return exporter.serve(options, node, tell, Agent(options, node, directory, tell, heard))


class Agent(Additions):
    """The parts of the agent, as the exporter has them beside its own."""

    def __init__(
        self, options: AgentOptions, node: Node, directory: str, tell: Callable[[str], None], heard: Ears
    ) -> None:
        self.options = options
        self.node = node
        self.tell = tell
        self.checks: list[AgentCheck] = []
        self.sources: Sources | None = None
        self.refusal = ""
        self.scheduler = Scheduler()
        self.publisher = Publisher(node.config, directory, tell, node.environ)
        self.workers = Workers(self.scheduler, self.publisher, options.threads)
        self.progress = Progress(self.scheduler.figures, lambda: self.checks)
        self.watches = Watches(lambda: self.checks, self.scheduler.trigger, tell)
        self.agent_checks = AgentChecks(options.agent_check, lambda: self.checks, tell)
        self.delivery = delivery.DeliveryThread(node, tell)
        self.reloads = metrics.Reloads()
        self.service = ServiceManager(node.environ)
        self.peers: Peers | None = PEERS.load()(options, tell) if options.peer else None
        self.wire = WireWatch(heard, directory, tell)
        self._view: Callable[[], View]
        self._alike: tuple[object, Mapping[str, str]] = None, {}

    def results(self) -> Iterable[CheckResults]:
        """Of those that have run."""
        return [check.results for check in self.checks if check.verdict]

    @property
    def version(self) -> int:
        """Another after each run."""
        return self.publisher.version

    def tasks(self, sources: Sources) -> list[Coroutine[Any, Any, None]]:
        """The checks begin to run, what is recorded is told, and peers and load balancers are served."""
        self.sources = sources
        sources.health["delivery"] = self.delivery.health
        asked = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
        self.reload()
        self.delivery.start()
        if self.peers:
            sources.health["peers"] = self.peers.health
            sources.addresses.listeners.append(self.peers.hurry)
        asking = [self.peers.ask_for_ever()] if self.peers else []
        return [
            self._reload_when_asked(asked),
            self._follow_configuration(sources),
            report.report(self),
            *self.watches.tasks(sources),
            self.agent_checks.run(sources),
            Drained(sources, self.tell).follow(),
            self.wire.follow(sources, self._view),
            *asking,
        ]

    def sections(self) -> list[CachedSection]:
        """What it tells of itself."""
        return [metrics.section(self), self.watches.section(), wire_metrics.section(self.wire, lambda: self.pod)]

    @property
    def pod(self) -> PodReport | None:
        """What the pod's first process says of itself, where there is one."""
        return self.sources.reports.pod if self.sources else None

    def alike(self) -> Mapping[str, str]:
        """A fingerprint of each check that is declared."""
        if self._alike[0] is not self.checks:
            self._alike = self.checks, alike.fingerprints(self.node.config)
        return self._alike[1]

    def know_itself(self, own: OwnAnswer, view: Callable[[], View]) -> None:
        """What this node says of itself is a part of the group."""
        self._view = view
        if self.peers:
            self.peers.own = lambda: own.of(view())

    def group(self) -> Group | None:
        """As the peers were found last."""
        return self.peers.group if self.peers else None

    @property
    def group_version(self) -> int:
        """Another with each news of the group."""
        return self.peers.version if self.peers else 0

    def waiting(self) -> str:
        """Whether every check has run once."""
        if self.refusal:
            return self.refusal
        waiting = [check.name for check in self.checks if check.verdict is None]
        return f"{len(waiting)} checks have not run yet, {waiting[0]} among them" if waiting else ""

    def not_ready(self) -> str:
        """Whether the checks have run, and the pod does what it is there for, where this is one."""
        return self.waiting() or (pod.not_ready(self.pod, self._view(), self.wire) if self.pod else "")

    def not_healthy(self) -> str:
        """What hangs."""
        return self.progress.trouble or pod.not_healthy(self.pod)

    def reload(self) -> None:
        """Do what hacheck.toml declares now; what is wrong with it is told, and what was declared before goes on."""
        try:
            checks = checks_of(self.node.config, self.node.environ, self.checks)
            delivery.validate(self.node.config, self.node.environ)
        except Invalid as error:
            self.reloads.ended(successful=False)
            if self.reloads.last_success:
                self.tell(f"{error}; what it said before is still done")
            else:
                self.refusal = f"{error}; no check runs here, and `hacheck run` looks by itself"
                self.tell(f"{self.refusal}; mend it and send SIGHUP")
            return
        self.checks, self.refusal = checks, ""
        self._compare()
        self.workers.start(checks)
        self.publisher.keep({check.name for check in checks})
        self.delivery.configure()
        self.reloads.ended(successful=True)

    def _reload_as_asked(self) -> None:
        self.service.tell_reloading()
        self.reload()
        self.service.tell(systemd.READY, systemd.status(report.status(self)))

    def _compare(self) -> None:
        """Judge how each check is tracked, by keepalived.conf as it is known now, and tell what is new of that."""
        if self.sources is None:
            return
        told = set(self.sources.remarks)
        judged = [(check, judge(check, self.sources.configuration.configuration)) for check in self.checks]
        for check, found in judged:
            check.fault = found.fault
        remarks = tuple(sentence for _, found in judged for sentence in found.sentences)
        for sentence in remarks:
            if sentence not in told:
                self.tell(sentence)
        self.sources.remark(remarks)

    async def _reload_when_asked(self, asked: asyncio.Event) -> None:
        """Reload, and have as much time for all else as that took, however often it is asked for."""
        while True:
            await asked.wait()
            asked.clear()
            began = monotonic()
            asyncio.get_running_loop().call_soon(self._reload_as_asked)
            await asyncio.sleep(0)
            await asyncio.sleep(monotonic() - began)

    async def _follow_configuration(self, sources: Sources) -> None:
        known = sources.configuration.configuration
        self._compare()
        while True:
            await beat(POLL_INTERVAL)
            if sources.configuration.configuration is not known:
                known = sources.configuration.configuration
                self.delivery.learn_vips()
                self._compare()

    def close(self) -> None:
        """No check is begun any more, and the last words are told."""
        self.service.tell(systemd.STOPPING)
        self.scheduler.close()
        self.delivery.close()

    async def ended(self) -> None:
        """Wait for the last words, for a part of a second; not for a check, nor for a notifier that hangs."""
        while not self.delivery.has_ended:
            await asyncio.sleep(SHORT_POLL_INTERVAL)
