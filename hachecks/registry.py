"""The registry of probes, notifiers and commands: where each lives, imported when it is named."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    class Output(Protocol):
        """Where a command's lines go: the module `cli`."""

        def say(self, line: str) -> None:
            """A line of what was asked for."""

        def hand_out(self, text: str) -> None:
            """A document, as a whole; raises `OSError`."""

        def complain(self, line: str) -> None:
            """A line about what is wrong."""

        def on_terminal(self) -> bool:
            """Whether what is said is read on a terminal."""


class Entry:
    """Where a thing lives, as `module:attribute`, and its line in `hacheck --help`."""

    __slots__ = ("summary", "target")

    def __init__(self, target: str, summary: str) -> None:
        self.target = target
        self.summary = summary

    def load(self) -> Any:
        """Import the module, now, and return the attribute."""
        module, _, attribute = self.target.partition(":")
        return getattr(__import__(module, fromlist=[attribute]), attribute)


PROBES: Mapping[str, Entry] = {
    "dns": Entry("hachecks.probes.dns:DnsProbe", "Ask a name server and judge its answer."),
    "file": Entry("hachecks.probes.file:FileProbe", "Look for a file: a maintenance switch or a heartbeat."),
    "http": Entry("hachecks.probes.http:HttpProbe", "Request a URL and judge the answer."),
    "nodeport": Entry("hachecks.probes.nodeport:NodeportProbe", "Ask whether a Kubernetes nodePort is served here."),
    "sql": Entry("hachecks.probes.sql:SqlProbe", "Ask a database whether it serves, and in which role."),
    "tcp": Entry("hachecks.probes.tcp:TcpProbe", "Connect to a port, and talk to it."),
}

NOTIFIERS: Mapping[str, Entry] = {
    "alertmanager": Entry(
        "hachecks.notifiers.alertmanager:AlertmanagerNotifier", "Fire and resolve alerts of Alertmanager."
    ),
    "apprise": Entry(
        "hachecks.notifiers.apprise:AppriseNotifier", "Tell services by Apprise, of which there are many."
    ),
    "exec": Entry("hachecks.notifiers.exec:ExecNotifier", "Run a command."),
    "journald": Entry("hachecks.notifiers.journald:JournaldNotifier", "Write to systemd's journal."),
    "log": Entry("hachecks.notifiers.log:LogNotifier", "Append to a file, or to a container's output."),
    "mail": Entry("hachecks.notifiers.mail:MailNotifier", "Send a mail through an SMTP server."),
    "pagerduty": Entry("hachecks.notifiers.pagerduty:PagerdutyNotifier", "Trigger and resolve incidents of PagerDuty."),
    "prometheus": Entry(
        "hachecks.notifiers.prometheus:PrometheusNotifier", "Write a file for node_exporter, or push to a Pushgateway."
    ),
    "slack": Entry("hachecks.notifiers.slack:SlackNotifier", "Post to a channel of Slack."),
    "syslog": Entry("hachecks.notifiers.syslog:SyslogNotifier", "Write to syslog: the node's own, or a server's."),
    "webhook": Entry(
        "hachecks.notifiers.webhook:WebhookNotifier", "Post JSON to a URL, or what Teams, Discord or ntfy take."
    ),
}

COMMANDS: Mapping[str, Entry] = {
    "agent": Entry("hachecks.agent.options:AgentOptions", "Run the checks, tell Keepalived, and serve VIP state."),
    "checks": Entry(
        "hachecks.delivery.declarations:Checks", "List the checks and notifiers that hacheck.toml declares."
    ),
    "completion": Entry("hachecks.completion:Completion", "Print a script that completes words in your shell."),
    "deliver": Entry("hachecks.delivery.deliverer:Deliver", ""),
    "drain": Entry("hachecks.drain.commands:DrainCommand", "Move the VIPs of this node to other nodes."),
    "exporter": Entry("hachecks.exporter.options:ExporterOptions", "Serve VIP state to Prometheus, and a status page."),
    "history": Entry("hachecks.transitions.show_history:ShowHistory", "Show what Keepalived has said."),
    "ipfailover follow": Entry(
        "hachecks.ipfailover.follow.command:FollowCommand", "Give VIPs to the cluster's Services."
    ),
    "ipfailover lint": Entry("hachecks.ipfailover.commands.lint:LintCommand", "Find what goes wrong before it does."),
    "ipfailover manifests": Entry(
        "hachecks.ipfailover.commands.manifests:ManifestsCommand", "Write the Kubernetes objects that put it on nodes."
    ),
    "ipfailover migrate": Entry(
        "hachecks.ipfailover.commands.migrate:MigrateCommand", "Change an election without two owners."
    ),
    "ipfailover plan": Entry("hachecks.ipfailover.commands.plan:PlanCommand", "Show who has which VIP, and when."),
    "ipfailover preflight": Entry(
        "hachecks.ipfailover.commands.preflight:PreflightCommand",
        "Find what would go wrong on this node, before it does.",
    ),
    "ipfailover render": Entry(
        "hachecks.ipfailover.commands.render:RenderCommand", "Write the keepalived.conf of a node."
    ),
    "ipfailover run": Entry(
        "hachecks.ipfailover.commands.run:RunCommand", "Run Keepalived and the agent, as the first process of a pod."
    ),
    "notifications": Entry(
        "hachecks.delivery.notifications:Notifications", "Show what waits to be told, or could not be."
    ),
    "notify": Entry("hachecks.delivery.notify:Notify", "Record what Keepalived says, for all notifiers to be told."),
    "status": Entry("hachecks.status:StatusOptions", "Tell whether every VIP is where Keepalived says."),
    "undrain": Entry("hachecks.drain.commands:UndrainCommand", "End the drain of this node."),
    "version": Entry("hachecks.versions:Version", "Print the version."),
}
"""Commands that are no checks; those without a summary are for ourselves, and the help does not list them.

Each is a `@settings` class with `run(environ, output)` as its only verb, which returns whether the exit status is 0, or
raises `settings.Invalid`. A name of two words is a command of the group that the first one names.
"""

GROUPS: Mapping[str, str] = {"ipfailover": "Plan, render, lint and run OpenShift's ipfailover."}
"""Groups of commands, with their line in the help."""
