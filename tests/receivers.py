"""Services that are told: servers that refuse, as the real ones do, whatever is not just as they want it.

Each is a context manager with a real socket on 127.0.0.1. It gives the answers of `first` before it thinks for itself.
"""

from __future__ import annotations

import json
import re
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.servers import Asked, HttpServer, Route

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Sequence


def said(document: object, status: int = 200, **headers: str) -> Route:
    """An answer in JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Route(json.dumps(document).encode(), status, {"Content-Type": "application/json", **named})


class Refused(Exception):  # noqa: N818 - the name says what happened
    """What was sent is not as the service wants it."""

    def __init__(self, answer: Route) -> None:
        super().__init__(answer.body)
        self.answer = answer


class Receiver(HttpServer):
    """Gives what it is asked to `answer`, and remembers it."""

    def __init__(self, first: Sequence[Route] = (), context: ssl.SSLContext | None = None) -> None:
        self.first = list(first)
        self.requests: list[Asked] = []
        self.lock = threading.Lock()
        super().__init__(self.hear, context=context)

    def answer(self, asked: Asked) -> Route:  # noqa: ARG002
        """What the service answers."""
        return Route()

    def hear(self, asked: Asked) -> Route:
        """Remember the request, and answer it."""
        with self.lock:
            self.requests.append(asked)
            if self.first:
                return self.first.pop(0)
            try:
                return self.answer(asked)
            except Refused as refused:
                return refused.answer

    @property
    def documents(self) -> list[Any]:
        """The JSON that was sent."""
        return [json.loads(asked.body) for asked in self.requests]


class Always(Receiver):
    """Answers everything alike; `echo` adds what it was asked, as careless services do."""

    def __init__(self, route: Route, *, echo: bool = False) -> None:
        super().__init__()
        self.route = route
        self.echo = echo

    def answer(self, asked: Asked) -> Route:
        if not self.echo:
            return self.route
        heard = f"{asked.method} {asked.target} {dict(asked.headers)} {asked.body.decode()}"
        return Route(heard.encode(), self.route.status, self.route.headers)


def document_of(asked: Asked, complaint: Route) -> Any:
    """The JSON object that was posted."""
    if asked.method != "POST" or not asked.headers.get("Content-Type", "").startswith("application/json"):
        raise Refused(complaint)
    try:
        document = json.loads(asked.body.decode())
    except ValueError:
        raise Refused(complaint) from None
    if not isinstance(document, dict):
        raise Refused(complaint)
    return document


SLACK_TEXTS = {"header": 150, "section": 3000}
SLACK_ESCAPE = re.compile(r"&(?!amp;|lt;|gt;)|<(?!!date\^\d+\^[^|<>]+\|[^<>]+>)|(?<!Z)>")
SLACK_TOTAL = 11000


class SlackRate:
    """One message in so many seconds, after a burst: one by Slack's own, more where a busy machine is to see it."""

    def __init__(self, burst: float | None, interval: int = 1) -> None:
        self.burst = burst
        self.interval = interval
        self.tokens = burst or 0.0
        self.at = time.monotonic()

    def take(self, ok: str) -> None:
        if self.burst is None:
            return
        now = time.monotonic()
        self.tokens, self.at = min(self.burst, self.tokens + (now - self.at) / self.interval), now
        if self.tokens < 1:
            document = {"retry_after": self.interval, "ok": False, "error": ok}
            raise Refused(said(document, 429, Retry_After=str(self.interval)))
        self.tokens -= 1


def slack_complaint(document: dict[str, Any]) -> str:
    """Why Slack would refuse a message; empty when it would not."""
    text, blocks = document.get("text"), document.get("blocks", [])
    if not isinstance(text, str) or not text:
        return "no_text"
    if len(text) > 40000:
        return "msg_too_long"
    if SLACK_ESCAPE.search(text):
        return "unescaped_text"
    if not 0 < len(blocks) <= 50 or any(complaint := list(map(_block_complaint, blocks))):
        return "invalid_blocks" + "".join(complaint if blocks else "")
    if sum(len(_utf16(piece)) for piece in _texts(blocks)) > SLACK_TOTAL:
        return "msg_blocks_too_long"
    return ""


def _utf16(text: str) -> list[int]:
    data = text.encode("utf-16-le")
    return [data[at] for at in range(0, len(data), 2)]


def _texts(blocks: object) -> Iterator[str]:
    if isinstance(blocks, list):
        for block in blocks:
            yield from _texts(block)
    elif isinstance(blocks, dict):
        for name, value in blocks.items():
            if name == "text" and isinstance(value, str):
                yield value
            else:
                yield from _texts(value)


def _block_complaint(block: dict[str, Any]) -> str:
    kind = block.get("type")
    if kind == "divider":
        return "" if set(block) == {"type"} else "divider"
    if kind == "context":
        elements = block.get("elements", [])
        fine = set(block) == {"type", "elements"} and 0 < len(elements) <= 10
        return "" if fine and not any(_text_complaint(element, 3000) for element in elements) else "context"
    if kind not in SLACK_TEXTS or set(block) != {"type", "text"}:
        return f"unknown block {kind}"
    if kind == "header" and block["text"].get("type") != "plain_text":
        return "header"
    return _text_complaint(block["text"], SLACK_TEXTS[kind])


def _text_complaint(text: dict[str, Any], limit: int) -> str:
    allowed = {"plain_text": {"type", "text", "emoji"}, "mrkdwn": {"type", "text", "verbatim"}}
    if not set(text) <= allowed.get(str(text.get("type")), set()):
        return f"text object {text}"
    content = text.get("text", "")
    if not content or len(_utf16(content)) > limit or any(not c.isprintable() and c != "\n" for c in content):
        return f"text of {len(content)}"
    return "unescaped" if SLACK_ESCAPE.search(content) else ""


class SlackWebhook(Receiver):
    """An incoming webhook."""

    path = "/services/T00000000/B00000000/XXXXsecretXXXXsecretXXXX"

    def __init__(self, first: Sequence[Route] = (), burst: float | None = None, interval: int = 1) -> None:
        super().__init__(first)
        self.rate = SlackRate(burst, interval)
        self.hook = self.url + self.path

    def answer(self, asked: Asked) -> Route:
        if asked.target != self.path:
            return Route(b"invalid_token", 403) if asked.target.startswith("/services/") else Route(b"no_team", 404)
        document = document_of(asked, Route(b"invalid_payload", 400))
        self.rate.take("rate_limited")
        if set(document) - {"text", "blocks", "attachments", "thread_ts"}:
            return Route(b"invalid_payload", 400)
        complaint = slack_complaint(document)
        return Route(complaint.encode(), 400) if complaint else Route(b"ok", 200, {"Content-Type": "text/html"})


class SlackApi(Receiver):
    """chat.postMessage and chat.update, for one channel and one token."""

    token = "xoxb-1234567890-secretsecret"
    channel = "C024BE91L"

    def __init__(self, first: Sequence[Route] = (), burst: float | None = None) -> None:
        super().__init__(first)
        self.rate = SlackRate(burst)
        self.posted: dict[str, dict[str, Any]] = {}
        self.number = 0

    def answer(self, asked: Asked) -> Route:
        if asked.headers.get("Authorization") != f"Bearer {self.token}":
            return said({"ok": False, "error": "invalid_auth"})
        document = document_of(asked, said({"ok": False, "error": "invalid_json"}))
        self.rate.take("ratelimited")
        if document.get("channel") != self.channel:
            return said({"ok": False, "error": "channel_not_found"})
        complaint = slack_complaint(document)
        if complaint:
            return said({"ok": False, "error": complaint})
        if asked.target == "/api/chat.postMessage":
            return self._post(document)
        return self._update(document) if asked.target == "/api/chat.update" else said({"ok": False, "error": "unknown"})

    def _post(self, document: dict[str, Any]) -> Route:
        if set(document) - {"channel", "text", "blocks", "thread_ts", "reply_broadcast"}:
            return said({"ok": False, "error": "invalid_arguments"})
        if "thread_ts" in document and document["thread_ts"] not in self.posted:
            return said({"ok": False, "error": "thread_not_found"})
        self.number += 1
        ts = f"1700000000.{self.number:06d}"
        self.posted[ts] = document
        return said({"ok": True, "channel": self.channel, "ts": ts, "message": document})

    def _update(self, document: dict[str, Any]) -> Route:
        if set(document) - {"channel", "ts", "text", "blocks"}:
            return said({"ok": False, "error": "invalid_arguments"})
        if document.get("ts") not in self.posted:
            return said({"ok": False, "error": "message_not_found"})
        self.posted[document["ts"]] = document
        return said({"ok": True, "channel": self.channel, "ts": document["ts"], "text": document["text"]})


class Teams(Receiver):
    """A Workflow of Teams that posts what it gets."""

    path = "/workflows/0123456789abcdef/triggers/manual/paths/invoke?api-version=2016-06-01&sig=secretSIGNATUREsecret"

    @property
    def hook(self) -> str:
        return self.url + self.path

    def answer(self, asked: Asked) -> Route:
        if asked.target != self.path:
            return said({"error": {"code": "DirectApiAuthorizationRequired"}}, 401)
        if len(asked.body) > 28 * 1024:
            return Route(b"Request Entity Too Large", 413)
        bad = said({"error": {"code": "InvalidRequestContent"}}, 400)
        document = document_of(asked, bad)
        (attachment,) = document["attachments"]
        card = attachment["content"]
        known = {"$schema", "type", "version", "fallbackText", "msteams", "body"}
        if document["type"] != "message" or attachment["contentType"] != "application/vnd.microsoft.card.adaptive":
            return bad
        if card["type"] != "AdaptiveCard" or set(card) != known or not all(map(self._is_block, card["body"])):
            return bad
        return Route(b"", 202)

    def _is_block(self, block: dict[str, Any]) -> bool:
        (run,) = block["inlines"]
        looks = {"type", "text", "weight", "size", "color", "isSubtle"}
        return block["type"] == "RichTextBlock" and run["type"] == "TextRun" and run["text"] and set(run) <= looks


class Discord(Receiver):
    """A webhook of Discord."""

    path = "/api/webhooks/1234567890/secret-Discord_token-secret"

    @property
    def hook(self) -> str:
        return self.url + self.path

    def answer(self, asked: Asked) -> Route:
        parts = urlsplit(asked.target)
        if parts.path != self.path:
            return said({"message": "Unknown Webhook", "code": 10015}, 404)
        bad = said({"message": "Invalid Form Body", "code": 50035}, 400)
        document = document_of(asked, bad)
        embeds = document.get("embeds", [])
        pieces = [len(_utf16(text)) for embed in embeds for text in (embed["description"], embed["footer"]["text"])]
        fine = (
            set(document) == {"content", "embeds", "allowed_mentions"}
            and document["allowed_mentions"] == {"parse": []}
            and 0 < len(_utf16(document["content"])) <= 2000
            and len(embeds) <= 10
            and all(0 < len(_utf16(embed["description"])) <= 4096 for embed in embeds)
            and all(0 <= embed["color"] <= 0xFFFFFF and len(embed["footer"]["text"]) <= 2048 for embed in embeds)
            and sum(pieces) <= 6000
        )
        if not fine:
            return bad
        waits = parse_qs(parts.query).get("wait") == ["true"]
        return said({"id": "42", "content": document["content"]}) if waits else Route(b"", 204)


class Ntfy(Receiver):
    """A server of ntfy, with one topic and one token."""

    topic, token = "secret-topic_7", "tk_secretsecretsecretsecretsecre"

    @property
    def hook(self) -> str:
        return f"{self.url}/{self.topic}"

    def answer(self, asked: Asked) -> Route:
        if asked.target != "/":
            return said({"code": 40404, "http": 404, "error": "page not found"}, 404)
        if asked.headers.get("Authorization") != f"Bearer {self.token}":
            return said({"code": 40301, "http": 403, "error": "forbidden"}, 403)
        bad = said({"code": 40024, "http": 400, "error": "invalid request: body must be valid JSON"}, 400)
        document = document_of(asked, bad)
        if set(document) != {"topic", "title", "message", "priority", "tags"} or document["topic"] != self.topic:
            return bad
        if len(document["message"].encode()) > 4096 or not document["message"]:
            return said({"code": 40014, "http": 400, "error": "attachments not allowed"}, 400)
        if document["priority"] not in range(1, 6) or not all(isinstance(tag, str) for tag in document["tags"]):
            return bad
        return said({"id": "sPs71M8A2T", "time": 1700000000, "event": "message", "topic": self.topic})


class PagerDuty(Receiver):
    """The Events API v2 of one service, and its open incidents by dedup key."""

    key = "0123456789abcdef0123456789abcdef"
    severities = ("critical", "error", "warning", "info")

    def __init__(self, first: Sequence[Route] = (), context: ssl.SSLContext | None = None) -> None:
        super().__init__(first, context)
        self.open: dict[str, dict[str, Any]] = {}

    def answer(self, asked: Asked) -> Route:
        if asked.target != "/v2/enqueue":
            return Route(b"Not Found", 404)
        document = document_of(asked, self._invalid("Event object is invalid"))
        if len(asked.body) > 512 * 1024:
            return Route(b"", 413)
        if document.get("routing_key") != self.key:
            return self._invalid(f"{document.get('routing_key')} is an invalid routing key")
        known = {"routing_key", "event_action", "dedup_key", "client", "payload"}
        dedup_key, action = document.get("dedup_key"), document.get("event_action")
        if set(document) - known or not isinstance(dedup_key, str) or not 0 < len(dedup_key) <= 255:
            return self._invalid("dedup_key")
        if action == "resolve":
            self.open.pop(dedup_key, None)
        elif action != "trigger" or not self._is_payload(document.get("payload")):
            return self._invalid("payload")
        else:
            self.open[dedup_key] = document["payload"]
        return said({"status": "success", "message": "Event processed", "dedup_key": dedup_key}, 202)

    def _invalid(self, error: str) -> Route:
        return said({"status": "invalid event", "message": "Event object is invalid", "errors": [error]}, 400)

    def _is_payload(self, payload: Any) -> bool:
        known = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}
        return (
            isinstance(payload, dict)
            and set(payload) <= known
            and 0 < len(_utf16(payload["summary"])) <= 1024
            and bool(payload["source"])
            and payload["severity"] in self.severities
            and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", payload["timestamp"]) is not None
        )
