"""Webhook notifier: posts JSON to a URL, or what Teams, Discord or ntfy take."""

from __future__ import annotations

from hachecks.http import json_value
from hachecks.http.headers import Header
from hachecks.http.url import Url
from hachecks.messages.not_delivered import NotDelivered
from hachecks.messages.payload import cloud_event, cloud_event_headers, data_of, encoded, plain, structured
from hachecks.secret_file import read_text
from hachecks.services import presets
from hachecks.services.acceptance import excerpt, is_accepted, refusal
from hachecks.services.http_options import JSON, HookOptions, LoginOptions, secrets_in
from hachecks.services.webhook_signature import keys_in, signed
from hachecks.settings import option, settings
from hachecks.units import Size
from hachecks.verdict import CannotLook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from hachecks.deadline import Deadline
    from hachecks.http.response import Response
    from hachecks.messages.message import Message

TOPIC_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
TOPIC_LIMIT = 64
"""Characters."""
TOO_FAST = "429"
CLOUD_EVENT = Header("Content-Type", "application/cloudevents+json; charset=utf-8")


@settings
class WebhookNotifier(HookOptions, LoginOptions):
    """Post JSON to a URL.

    A message is delivered when the answer is 2xx. It is sent again at 408, 425, 429, 5xx and when there is no answer,
    not before the time that a Retry-After header names. Any other answer is final; redirects are not followed.

    Every message has an id that stays the same when it is sent again, and is signed where there are keys: see
    standardwebhooks.com. With several keys it is signed by each, so that the receiver can change to a new one.

    The presets write what Teams (a URL of its Workflows), Discord (of a webhook) and ntfy (of a topic) take, within
    their limits: a storm becomes one message that names as many instances as fit.
    """

    preset: Literal["generic", "teams", "discord", "ntfy"] = option(
        default="generic", help="What the receiver understands."
    )
    cloudevents: Literal["no", "binary", "structured"] = option(
        default="no", help="Send a CloudEvent 1.0, its attributes in headers or beside the data."
    )
    signing_key: str | None = option(default=None, secret=True, metavar="WHSEC", help="Sign with this key.")
    signing_key_file: str | None = option(
        default=None, metavar="FILE", help="Sign with the keys (whsec_…) in this file, the present one first."
    )
    max_payload: Size = option(
        default=262144, help="Send no larger body: the changes that matter least are left out, and counted."
    )

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        self.validate_hook()
        self.validate_login()
        if self.signing_key is not None and self.signing_key_file is not None:
            raise ValueError("--signing-key and --signing-key-file exclude each other")
        if self.cloudevents != "no" and self.preset != "generic":
            raise ValueError(f"--cloudevents and --preset {self.preset} exclude each other")

    def send(self, message: Message, deadline: Deadline) -> str:
        """Post it once."""
        hook, given = self.hook(), self.login_headers()
        url, headers, body = self._content(message, hook)
        own = [*(headers or [JSON]), *signed(message.key, body, self._keys())]
        names = {header.name.lower() for header in given}
        headers = [*(header for header in own if header.name.lower() not in names), *given]
        response = self.ask(url, deadline, headers, body)
        said = excerpt(response, secrets_in(hook, given))
        if not is_accepted(response):
            raise refusal(response, str(url.target), said)
        self._read(response, str(url.target), said)
        return f"{url.target} answered {response.status}"

    def _content(self, message: Message, url: Url) -> tuple[Url, Sequence[Header], bytes]:
        """Where to, and with what."""
        if self.preset == "teams":
            return url, (), encoded(presets.teams(message))
        if self.preset == "discord":
            return _waiting(url), (), encoded(presets.discord(message))
        if self.preset == "ntfy":
            server, topic = _topic_of(url)
            return server, (), encoded(presets.ntfy(message, topic))
        if self.cloudevents == "binary":
            headers = [JSON, *cloud_event_headers(cloud_event(message))]
            return url, headers, encoded(data_of(message, self.max_payload))
        if self.cloudevents == "structured":
            return url, [CLOUD_EVENT], structured(message, self.max_payload)
        return url, (), plain(message, self.max_payload)

    def _keys(self) -> list[bytes]:
        if self.signing_key_file is not None:
            try:
                return keys_in(read_text(self.signing_key_file), self.signing_key_file)
            except CannotLook as error:
                raise NotDelivered(str(error), retryable=True) from None
        return [] if self.signing_key is None else keys_in(self.signing_key, "--signing-key")

    def _read(self, response: Response, where: str, said: str) -> None:
        """Raise `NotDelivered` at a 2xx that does not mean it: a proxy's or portal's page, or Teams' way to say no."""
        empty = self.preset == "discord" and response.status == 204
        if self.preset in ("discord", "ntfy") and not empty and not _has_id(response):
            raise NotDelivered(
                f"{where} answered {response.status}, but not as {self.preset} does: {said}", retryable=True
            )
        if self.preset == "teams" and "error" in response.text.lower():
            raise NotDelivered(f"{where} answered {response.status}, but: {said}", retryable=TOO_FAST in response.text)


def _waiting(url: Url) -> Url:
    """The URL at which Discord says whether it has kept the message."""
    if "wait=" in url.query:
        return url
    return Url(url.scheme, url.host, url.port, url.path, f"{url.query}&wait=true" if url.query else "?wait=true")


def _topic_of(url: Url) -> tuple[Url, str]:
    """Where ntfy takes JSON, and for which topic; raises `NotDelivered`."""
    path, _, topic = url.path.rstrip("/").rpartition("/")
    if not topic or len(topic) > TOPIC_LIMIT or not TOPIC_LETTERS.issuperset(topic):
        raise NotDelivered("the URL of ntfy ends with a topic: https://ntfy.sh/TOPIC", retryable=False)
    return Url(url.scheme, url.host, url.port, path or "/", url.query), topic


def _has_id(response: Response) -> bool:
    return bool((json_value.parse_object(response.text) or {}).get("id"))
