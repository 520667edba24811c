"""Acceptance over HTTP: one table from a response's status to what is done about the message."""

from __future__ import annotations

import time

from hachecks.messages.not_delivered import NotDelivered
from hachecks.verdict import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hachecks.http.response import Response
    from hachecks.http.url import Url

RETRYABLE = frozenset({408, 425, 429})
"""Statuses that are tried again besides 500 and up: the request came too slowly, too early, or after too many."""
MEANINGS: Mapping[int, str] = {
    401: "it refuses the credentials",
    403: "it refuses the credentials",
    404: "there is nothing at that URL",
    410: "disabled by the receiver",
    413: "the message is too large",
    429: "too many messages",
}
LONGEST_WAIT = 86400.0
"""Seconds: who asks for a longer pause than a day does not mean it."""
MOST_DIGITS = 9
"""Of a Retry-After in seconds."""
SHORTEST_SECRET = 6
"""Letters: a part of a URL with fewer is a word such as `api`."""
EXCERPT_LENGTH = 200
"""Characters of a body that are shown."""


def is_accepted(response: Response) -> bool:
    """Whether the status says so."""
    return 200 <= response.status < 300


def is_retryable(status: int) -> bool:
    """Whether the same message may be accepted later."""
    return status in RETRYABLE or status >= 500


def refusal(response: Response, where: str, said: str = "", meanings: Mapping[int, str] = MEANINGS) -> NotDelivered:
    """Why the message was not delivered, by a response other than 2xx; `said` is what of its body may be shown."""
    meaning = "a redirect, which is not followed" if 300 <= response.status < 400 else meanings.get(response.status, "")
    reason = ": ".join(part for part in (f"{where} answered {response.status}", meaning, one_line(said)) if part)
    retryable = is_retryable(response.status)
    return NotDelivered(reason, retryable=retryable, retry_after=retry_after(response) if retryable else None)


def retry_after(response: Response) -> float | None:
    """Seconds until the time that a Retry-After header names, in either of its forms; a date is of the server's clock.

    None where it names none, and where the time is now or has passed: what says so for ever is not to be hammered.
    """
    for value in map(str.strip, response.values_of("retry-after")):
        if value.isascii() and value.isdigit():
            seconds = float(value) if len(value) <= MOST_DIGITS else LONGEST_WAIT
        else:
            at = _instant(value)
            seconds = 0.0 if at is None else at - (date_of(response) or time.time())
        if seconds > 0:
            return min(seconds, LONGEST_WAIT)
    return None


def date_of(response: Response) -> float | None:
    """The seconds of the epoch when it was answered by the server's own clock, which has whole seconds here."""
    return next(filter(None, map(_instant, response.values_of("date"))), None)


def _instant(date: str) -> float | None:
    """The seconds of the epoch that an HTTP date says."""
    from email.utils import mktime_tz, parsedate_tz

    try:
        parsed = parsedate_tz(date)
        return float(mktime_tz(parsed)) if parsed else None
    except (ValueError, OverflowError, TypeError, IndexError):  # what is no date breaks it in many ways
        return None


def excerpt(response: Response, secrets: Iterable[str] = ()) -> str:
    """The beginning of the body as one line, without the secrets: some services echo what they were sent."""
    text = response.text
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "…")
    line = one_line(text)
    return line if len(line) <= EXCERPT_LENGTH else line[: EXCERPT_LENGTH - 1] + "…"


def secrets_of(url: Url) -> set[str]:
    """What must not be shown of a URL that is a secret, in every form in which it may be echoed."""
    parts = [url.full, url.request_target, url.path, url.query, *url.path.split("/")]
    parts += [value for pair in url.query[1:].split("&") for value in (pair, pair.partition("=")[2])]
    long = {part for part in parts if len(part) >= SHORTEST_SECRET}
    return encodings_of(long)


def encodings_of(secrets: Iterable[str]) -> set[str]:
    """The secrets as they are, and as JSON, HTML and URLs write them."""
    from html import escape
    from urllib.parse import quote, unquote

    writings = (str, quote, unquote, escape, lambda text: text.replace("/", "\\/"))
    return {write(secret) for secret in secrets for write in writings}
