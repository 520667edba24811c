"""`hacheck ipfailover run`: a pod's first process, which has Keepalived and the agent run."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Literal

from hachecks.exporter.options import Listen
from hachecks.ipfailover import values
from hachecks.ipfailover.commands.options import ConfigurationOptions
from hachecks.ipfailover.files import STDIN
from hachecks.ipfailover.follow.options import ServiceOptions
from hachecks.ipfailover.pod import signals
from hachecks.node import NodeOptions
from hachecks.registry import Entry
from hachecks.settings import option, settings, settings_of
from hachecks.units import Duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.registry import Output

RUN = Entry("hachecks.ipfailover.pod.main:run", "the pod's first process, which a usage error does not owe")
OURS = ("-f", "--use-file", "-p", "--pid", "-r", "--vrrp_pid", "-n", "--dont-fork", "-l", "--log-console", "-t")
"""Options of Keepalived's that are given to it already, or would have it end at once."""
__all__ = ["Listen", "RunCommand"]


@settings
class RunCommand(ConfigurationOptions, ServiceOptions, NodeOptions):
    """Run Keepalived and the agent by the variables OPENSHIFT_HA_*, as the first process of a pod.

    It plans and renders as hacheck ipfailover plan and render do, looks whether this node may begin, writes
    keepalived.conf, has Keepalived test it, and starts the agent and Keepalived, both again when they end. A file that
    changes, of a mounted ConfigMap for example, is planned anew and taken over by a reload, without a restart; one that
    is wrong is refused, and the one before stays in force. A change that would make two masters of a VIP is held until
    OPENSHIFT_HA_CHANGE_AT, at which all nodes make it.

    SIGTERM ends Keepalived first, which gives its VIPs away, then the agent, once it has told of that. SIGHUP reads
    everything again. SIGUSR1, SIGUSR2 and the signal for JSON go to Keepalived. What the agent is to do else is said by
    HACHECK_* variables.

    Exit status 0 after SIGTERM, 1 if something was left behind, Keepalived had to be killed, or the node may not begin,
    2 for what cannot be understood.
    """

    flags_only = True

    node: str | None = option(
        default=None,
        metavar="NODE",
        help="This node by the name or address that the plan has (default: --node-name, or else one of the node's "
        "own addresses).",
    )
    check_once: bool = option(
        default=False, help="Look whether this node may begin and whether Keepalived takes its file, tell it, and end."
    )
    preflight: Literal["strict", "warn", "off"] = option(
        default="strict",
        help="What is looked at before the first advert: strict does not begin where that would do harm, warn tells "
        "it and begins, off looks at nothing.",
    )
    follow_services: bool = option(
        default=False, help="Also serve the VIPs of the cluster's Services, by the pod's service account."
    )
    agent: bool = option(default=True, help="Run Keepalived alone: nobody runs checks, tells or serves anything.")
    listen: tuple[Listen, ...] = option(
        default=(), metavar="ADDR", help="The agent listens on HOST:PORT, [::1]:PORT or :PORT, several times."
    )
    fifo: str = option(
        default="", metavar="PATH", help="The notify FIFO, which is made (default: notify.fifo where state is kept)."
    )
    keepalived: str = option(default="keepalived", metavar="PROGRAM", help="The program.")
    keepalived_options: str = option(
        default="",
        metavar="WORDS",
        variables={"KEEPALIVED_OPTIONS": str},
        help="More options of Keepalived's, such as -D, also by KEEPALIVED_OPTIONS.",
    )
    pid_file: str = option(
        default="/run/keepalived.pid", metavar="FILE", help="Where Keepalived writes its process id."
    )
    stop_timeout: Duration = option(
        default=20.0,
        help="How long Keepalived may take to end; less than terminationGracePeriodSeconds, by 10 s or more.",
    )

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        super().validate()
        for setting in settings_of(ServiceOptions):
            if getattr(self, setting.name) != setting.default and not self.follow_services:
                raise ValueError(f"{setting.flag} needs --follow-services")
        if STDIN in (*self.files, *self.env_file, self.nodes_file):
            raise ValueError("standard input is read once, and files are followed; name a file in place of -")
        if self.fifo:
            values.path(self.fifo)
        if not 1 <= self.stop_timeout <= 3600:
            raise ValueError("--stop-timeout is 1s to 1h")
        for word in self.keepalived_words:
            if word.partition("=")[0] in OURS:
                raise ValueError(f"--keepalived-options: {word} is given to Keepalived already; leave it out")

    @property
    def keepalived_words(self) -> list[str]:
        """More words of Keepalived's command line; raises `ValueError`."""
        try:
            return shlex.split(self.keepalived_options)
        except ValueError as error:
            raise ValueError(f"--keepalived-options: {error}") from None

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Run until SIGTERM; returns whether nothing is left behind. Raises `Invalid`."""
        # What it consists of takes most of a second to load.
        signals.keep()
        ended_well: bool = RUN.load()(self, environ, output)
        return ended_well
