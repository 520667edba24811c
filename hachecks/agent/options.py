"""`hacheck agent`: what it runs, what it holds, and where it serves it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from hachecks.agent.agent_check_options import AgentCheckOptions
from hachecks.agent.peer_options import PeerOptions
from hachecks.exporter.options import ExporterOptions
from hachecks.node import Node
from hachecks.registry import Entry
from hachecks.settings import option, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.registry import Output

SERVE = Entry("hachecks.agent.main:serve", "the agent, which needs the packages of hachecks[agent]")
ONCE = Entry("hachecks.agent.once:run_once", "one run of every check")
MOST_THREADS = 512


@settings
class AgentOptions(ExporterOptions, PeerOptions, AgentCheckOptions):
    r"""Run the checks of hacheck.toml, tell Keepalived and notifiers at once, and serve VIP state.

    It stays beside Keepalived and does all that checks, notify and exporter do, without a process for each. `hacheck
    run NAME` gives the verdict of its last run while that is fresh, and looks itself otherwise: the agent may end at
    any time. SIGHUP reads hacheck.toml again, SIGTERM ends it.

    \b
    /metrics       for Prometheus, as text or OpenMetrics
    /              the status page
    /api/status    the same as JSON
    /-/healthy     the agent runs, and the pod's first process where there is one
    /-/ready       every check has run once, and the pod is in order
    """

    once: bool = option(default=False, help="Run every check once, tell the verdicts, and end.")
    threads: int = option(default=64, metavar="N", help="At most so many checks run at once.")
    wire: bool = option(
        default=True, help="Do not hear and ask on the segment who else has a VIP, and keep the rights of networks."
    )

    def validate(self) -> None:
        """Refuse what makes no sense."""
        super().validate()
        self.validate_peers()
        if not 1 <= self.threads <= MOST_THREADS:
            raise ValueError(f"--threads is 1 to {MOST_THREADS}")

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Serve until it is ended; returns whether it could, or with --once whether every check passes."""
        node = Node(self, environ)
        if self.once:
            passed: bool = ONCE.load()(node, output.say, self.threads)
            return passed
        # Whoever has changed hacheck.toml just now ends nobody who has not read it yet.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        served: bool = SERVE.load()(self, node, lambda line: output.complain(f"agent: {line}"))
        return served
