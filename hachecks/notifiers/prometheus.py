"""Prometheus notifier: writes a file for node_exporter's textfile collector, or pushes to a Pushgateway."""

from __future__ import annotations

import os
import re
import zlib

from hachecks import state
from hachecks.http.headers import Header
from hachecks.http.url import Url
from hachecks.messages.not_delivered import NotDelivered
from hachecks.services.acceptance import excerpt, is_accepted, refusal
from hachecks.services.http_options import HttpOptions, LoginOptions, secrets_among
from hachecks.services.instance_metrics import InstanceMetrics
from hachecks.settings import option, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.deadline import Deadline
    from hachecks.messages.message import Message

TEXT = Header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


@settings
class PrometheusNotifier(HttpOptions, LoginOptions):
    """Write metrics for node_exporter's textfile collector, or push them to a Pushgateway.

    The states, transitions, priorities and last changes of all instances, under the names that the exporter gives
    them. The file is replaced whole, and carries no timestamps; its age is node_textfile_mtime_seconds. A Pushgateway
    has them under the job and the node, until all instances have stopped: then they are deleted there.

    Prefer the exporter wherever Prometheus can reach it. This knows only what Keepalived said last: when a node dies,
    its last word (MASTER, perhaps) stays in the Pushgateway for ever, and a file does not say whether the VIP is on an
    interface, nor that Keepalived was killed.
    """

    wants_all_events = True

    textfile: str | None = option(
        default=None, metavar="FILE", help="Write this file, as in /var/lib/prometheus/node-exporter/hachecks.prom."
    )
    pushgateway: Url | None = option(default=None, metavar="URL", help="Push to the Pushgateway at http://HOST:9091.")
    job: str = option(default="hachecks", help="The job under which a Pushgateway has them.")

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        if self.textfile is None and self.pushgateway is None:
            raise ValueError("give --textfile or --pushgateway")
        if self.textfile is not None and not self.textfile.endswith(".prom"):
            raise ValueError(f"--textfile {self.textfile}: node_exporter reads files whose names end with .prom")
        self.validate_login()
        if self.pushgateway is not None:
            self.validate_http(self.pushgateway)

    def send(self, message: Message, deadline: Deadline) -> str:
        """Add the message to what is known, and publish that."""
        try:
            path = self.textfile or self._memory(message.state_dir)
            known = InstanceMetrics.parse(state.read(path) if path else "")
            if message.test:
                return self._test(path, message, deadline)
            known.add(message)
            if path:
                state.replace(path, str(known), sync=True)
        except OSError as error:
            where = self.textfile or "the state directory"
            raise NotDelivered(f"{where}: {error.strerror or error}", retryable=True) from None
        written = [f"wrote {path}"] if self.textfile else []
        return "; ".join([*written, *self._push(known, message.node, deadline)])

    def _test(self, path: str, message: Message, deadline: Deadline) -> str:
        """Try the way without touching what Prometheus sees."""
        if path:
            trial = f"{path}-test"
            state.replace(trial, "", sync=True)
            os.unlink(trial)
        done = [f"{path} can be written"] if self.textfile else []
        if self.pushgateway is not None:
            group = self._group(f"{self.job}-test", message.node)
            sample = InstanceMetrics()
            sample.add(message)
            self._request(group, "PUT", str(sample).encode(), deadline)
            self._request(group, "DELETE", None, deadline)
            done.append(f"{self.pushgateway.target} took a push, and deleted it again")
        return "; ".join(done)

    def _memory(self, directory: str) -> str:
        """The file in the state directory that remembers what is known, where no textfile does."""
        if not directory:
            return ""
        name = f"pushgateway-{zlib.crc32(f'{self.pushgateway!r} {self.job}'.encode()):08x}"
        return os.path.join(directory, name)

    def _push(self, known: InstanceMetrics, node: str, deadline: Deadline) -> list[str]:
        if self.pushgateway is None:
            return []
        group = self._group(self.job, node)
        if known.has_stopped:
            self._request(group, "DELETE", None, deadline)
            return [f"{group.target} deleted the metrics, since all has stopped"]
        self._request(group, "PUT", str(known).encode(), deadline)
        return [f"{group.target} took the metrics"]

    def _group(self, job: str, node: str) -> Url:
        """Where a Pushgateway keeps the metrics of this job and node."""
        assert self.pushgateway is not None  # noqa: S101 - for the type checker
        base = self.pushgateway
        path = f"{base.path.rstrip('/')}/metrics/{_label('job', job)}/{_label('instance', node)}"
        return Url(base.scheme, base.host, base.port, path)

    def _request(self, group: Url, method: str, body: bytes | None, deadline: Deadline) -> None:
        headers = self.login_headers()
        response = self.ask(group, deadline, [TEXT, *headers] if body else headers, body, method)
        if not is_accepted(response):
            raise refusal(response, str(group.target), excerpt(response, secrets_among(headers)))


def _label(name: str, value: str) -> str:
    """A grouping label in a path; what is not plain goes as base64, since a slash cannot be escaped there."""
    if PLAIN.fullmatch(value):
        return f"{name}/{value}"
    import base64

    return f"{name}@base64/{base64.urlsafe_b64encode(value.encode('utf-8', 'replace')).decode() or '='}"
