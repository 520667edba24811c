"""Which probes and notifiers are there, and where does each live?"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Entry:
    """Where a thing lives, as `module:attribute`, and its line in `hacheck --help`."""

    __slots__ = ("summary", "target")

    def __init__(self, target: str, summary: str) -> None:
        self.target = target
        self.summary = summary

    def load(self) -> Any:
        """Import the module, now, and return the attribute: the one late import of the package."""
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
