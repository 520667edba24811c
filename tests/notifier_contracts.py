"""What every notifier that speaks HTTP is set up with, so that all can be held to the same promises."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

from hachecks.registry import NOTIFIERS
from hachecks.settings import build
from tests.receivers import said
from tests.servers import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.notifiers import Notifier

SIGNING_KEY = "whsec_" + base64.b64encode(b"S3CRET-signing-key-of-32-bytes--").decode()
SLACK_OK = Route(b"ok")
API_OK = said({"ok": True, "channel": "C1", "ts": "1700000000.000001"})
HAS_ID = said({"id": "1"})
PAGERDUTY_OK = said({"status": "success", "dedup_key": "x"})


class Contract(NamedTuple):
    """A notifier's settings for a server, what the service says when it takes a message, and what nobody may see."""

    kind: str
    table: Callable[[str], dict[str, Any]]
    secrets: tuple[str, ...] = ()
    good: Route = Route(b"thanks")
    needs_body: bool = False
    pause: float | None = None
    """Seconds to wait after a 429 that names no time."""

    def notifier(self, url: str) -> Notifier:
        """The notifier, as hacheck.toml would have it."""
        notifier: Notifier = build(NOTIFIERS[self.kind].load(), self.kind, {}, {}, self.table(url), "hacheck.toml")
        return notifier


def webhook(**more: Any) -> Callable[[str], dict[str, Any]]:
    return lambda url: {"url": f"{url}/hook/S3CRET-path-1?token=S3CRET-query-2", **more}


HOOK = ("S3CRET-path-1", "S3CRET-query-2")
CONTRACTS = {
    "webhook": Contract(
        "webhook",
        webhook(bearer="S3CRET-bearer-3", header=["X-Api-Key: S3CRET-header-4"], signing_key=SIGNING_KEY),
        (*HOOK, "S3CRET-bearer-3", "S3CRET-header-4", SIGNING_KEY),
    ),
    "webhook-basic": Contract(
        "webhook",
        webhook(basic="user:S3CRET-password-5"),
        (*HOOK, "S3CRET-password-5", base64.b64encode(b"user:S3CRET-password-5").decode()),
    ),
    "webhook-binary": Contract("webhook", webhook(cloudevents="binary"), HOOK),
    "webhook-structured": Contract("webhook", webhook(cloudevents="structured"), HOOK),
    "webhook-teams": Contract("webhook", webhook(preset="teams"), HOOK),
    "webhook-discord": Contract("webhook", webhook(preset="discord"), HOOK, HAS_ID),
    "webhook-ntfy": Contract(
        "webhook",
        lambda url: {"url": f"{url}/S3CRET-topic-6", "preset": "ntfy", "bearer": "S3CRET-bearer-3"},
        ("S3CRET-topic-6", "S3CRET-bearer-3"),
        HAS_ID,
        needs_body=True,
    ),
    "slack": Contract(
        "slack",
        lambda url: {"url": f"{url}/services/T00000000/B00000000/S3CRET-hook-7"},
        ("S3CRET-hook-7",),
        SLACK_OK,
        needs_body=True,
    ),
    "slack-app": Contract(
        "slack",
        lambda url: {"api": f"{url}/api", "channel": "C1", "token": "xoxb-S3CRET-token-8"},
        ("S3CRET-token-8",),
        API_OK,
        needs_body=True,
    ),
    "pagerduty": Contract(
        "pagerduty",
        lambda url: {"api": url, "routing_key": "S3CRET-routing-key-9"},
        ("S3CRET-routing-key-9",),
        PAGERDUTY_OK,
        needs_body=True,
        pause=60.0,
    ),
    "alertmanager": Contract(
        "alertmanager", lambda url: {"url": [url], "bearer": "S3CRET-bearer-3"}, ("S3CRET-bearer-3",)
    ),
    "pushgateway": Contract(
        "prometheus",
        lambda url: {"pushgateway": url, "basic": "user:S3CRET-password-5"},
        ("S3CRET-password-5", base64.b64encode(b"user:S3CRET-password-5").decode()),
    ),
}
NOT_HTTP = {"apprise", "exec", "journald", "log", "mail", "syslog"}
"""Notifiers whose promises are tested elsewhere."""
