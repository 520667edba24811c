"""Slack's responses to webhooks and to calls of its API, and what is done about each."""

from __future__ import annotations

from hachecks.http import json_value
from hachecks.messages.not_delivered import NotDelivered
from hachecks.services.acceptance import excerpt, is_accepted, refusal, retry_after

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from hachecks.http.response import Response

TEMPORARY = frozenset(
    {
        "fatal_error", "internal_error", "rate_limited", "ratelimited", "request_timeout", "rollup_error",
        "service_unavailable",
    }
)  # fmt: skip
WEBHOOK_GONE = "the webhook was removed or disabled; make a new one"
TOKEN_GONE = "the token is not accepted; make a new one"  # noqa: S105 - no token
MEANINGS: Mapping[str, str] = {
    "account_inactive": TOKEN_GONE,
    "action_prohibited": "an administrator does not allow it",
    "channel_is_archived": "the channel is archived",
    "channel_not_found": "there is no such channel, or the app is not in it",
    "invalid_auth": TOKEN_GONE,
    "invalid_payload": "it did not understand the message",
    "invalid_token": WEBHOOK_GONE,
    "is_archived": "the channel is archived",
    "missing_scope": "the token needs the scope chat:write",
    "no_active_hooks": WEBHOOK_GONE,
    "no_service": WEBHOOK_GONE,
    "no_service_id": WEBHOOK_GONE,
    "no_team": "the workspace is gone",
    "not_authed": TOKEN_GONE,
    "not_in_channel": "invite the app to the channel",
    "token_expired": TOKEN_GONE,
    "token_revoked": TOKEN_GONE,
    "user_not_found": "the user is gone",
}
UNCHANGEABLE = frozenset({"cant_update_message", "edit_window_closed", "message_not_found", "thread_not_found"})
"""What is said of a message that can no longer be edited or answered."""


class Unchangeable(NotDelivered):
    """The message that was to be edited or answered cannot be; another may be posted."""


def judge_webhook(response: Response, where: str, secrets: Iterable[str]) -> None:
    """Raise `NotDelivered` unless Slack took the message: it says `ok`, and nothing else counts."""
    if is_accepted(response) and response.text.strip() == "ok":
        return
    word = response.text.strip()
    error = word if word in MEANINGS or word in TEMPORARY else str(_document(response).get("error", ""))
    raise _refusal(response, where, error, excerpt(response, secrets))


def judge_api(response: Response, where: str, secrets: Iterable[str]) -> dict[str, Any]:
    """What Slack's API answered; raises `NotDelivered` unless it says that all is well."""
    document = _document(response)
    if is_accepted(response) and document.get("ok") is True:
        return document
    error = str(document.get("error", ""))
    if error in UNCHANGEABLE:
        raise Unchangeable(f"{where}: {error}", retryable=False)
    raise _refusal(response, where, error, excerpt(response, secrets))


def _document(response: Response) -> dict[str, Any]:
    return json_value.parse_object(response.text) or {}


def _refusal(response: Response, where: str, error: str, said: str) -> NotDelivered:
    meaning = MEANINGS.get(error, "")
    reason = f"{error} ({meaning})" if meaning else said
    if not is_accepted(response):
        return refusal(response, where, reason, {429: "too many messages"})
    # A 200 that is neither ok nor an error of Slack's is a proxy's or a portal's page.
    retryable = error in TEMPORARY or not error
    return NotDelivered(
        f"{where} answered {response.status}, but: {reason}", retryable=retryable, retry_after=retry_after(response)
    )
