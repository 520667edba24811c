"""HTTP responses, and what one must be like."""

from __future__ import annotations

from hachecks.http import json_value
from hachecks.http.charset import text_of
from hachecks.http.conditions import Condition
from hachecks.http.headers import HeaderPattern
from hachecks.http.limits import PhaseLimit
from hachecks.http.patterns import Pattern
from hachecks.http.ranges import StatusRanges
from hachecks.settings import option, settings
from hachecks.units import Size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BODY_LIMIT = 65536
"""Bytes of a body that are read: an endless one must not fill the node's memory."""


class Response:
    """A response whose body has been read to its end, or to the limit."""

    def __init__(self, status: int, headers: Sequence[tuple[str, str]], body: bytes, is_whole: bool) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.is_whole = is_whole
        self.measured: dict[str, float] = {"status": status, "body_bytes": len(body)}

    def values_of(self, name: str) -> list[str]:
        """The values of a header field, one for each time it was sent: in UTF-8, or else in ISO-8859-1."""
        return [_as_text(value) for own, value in self.headers if own.lower() == name.lower()]

    @property
    def text(self) -> str:
        """The body as text, with what is none replaced."""
        return text_of(self.body, "".join(self.values_of("content-type")[:1]), is_whole=self.is_whole)


def _as_text(value: str) -> str:
    try:
        return value.encode("latin-1").decode()
    except ValueError:
        return value


@settings
class ResponseOptions:
    """What an HTTP answer must be like."""

    status: StatusRanges = option(
        default=StatusRanges((200, 299)),
        metavar="CODES",
        help="The status must be one of these, as in 2xx,401 or 200-299.",
    )
    header_matches: tuple[HeaderPattern, ...] = option(
        default=(), metavar="'NAME: REGEX'", help="The answer must have such a header."
    )
    header_lacks: tuple[HeaderPattern, ...] = option(
        default=(), metavar="'NAME: REGEX'", help="The answer must not have such a header."
    )
    body_matches: tuple[Pattern, ...] = option(default=(), metavar="REGEX", help="The body must match.")
    body_lacks: tuple[Pattern, ...] = option(default=(), metavar="REGEX", help="The body must not match.")
    json: tuple[Condition, ...] = option(default=(), metavar="CONDITION", help="The body must be JSON that meets this.")
    max_phase: tuple[PhaseLimit, ...] = option(
        default=(),
        metavar="PHASE=TIME",
        help="resolve, connect, tls, first-byte or transfer may take so long: connect=200ms.",
    )
    max_body: Size = option(default=BODY_LIMIT, help="Read so many bytes of the body.")

    def complaints(self, response: Response, phases: Mapping[str, float]) -> Iterator[tuple[str, str]]:
        """What is wrong with the answer and the kind of reason that is, the most telling first."""
        if response.status not in self.status:
            yield f"expected {self.status}", "status"
        yield from ((complaint, "body") for complaint in self._about_headers(response))
        if self.body_matches or self.body_lacks or self.json:
            yield from ((complaint, "body") for complaint in self._about_body(response))
        for limit in self.max_phase:
            complaint = limit.complaint(phases)
            if complaint:
                yield complaint, "timeout"

    def _about_headers(self, response: Response) -> Iterator[str]:
        for wanted in self.header_matches:
            values = response.values_of(wanted.name)
            if not values:
                yield f"it has no header {wanted.name}"
            elif not any(map(wanted.pattern.found_in, values)):
                yield f"its header {wanted.name} does not match {wanted.pattern}"
        for unwanted in self.header_lacks:
            if any(map(unwanted.pattern.found_in, response.values_of(unwanted.name))):
                yield f"it has the header {unwanted}"

    def _about_body(self, response: Response) -> Iterator[str]:
        named = ",".join(response.values_of("content-encoding")).split(",")
        encodings = [value.strip() for value in named if value.strip().lower() not in ("", "identity")]
        if encodings:
            yield f"its body is encoded ({encodings[0]}), although identity was asked for"
            return
        text = response.text
        whose = "its body" if response.is_whole else f"the first {len(response.body)} bytes of its body"
        for pattern in self.body_matches:
            if not pattern.found_in(text):
                yield f"{whose} {'does' if response.is_whole else 'do'} not match {pattern}"
        for pattern in self.body_lacks:
            if pattern.found_in(text):
                yield f"its body matches {pattern}"
        if self.json:
            yield from self._about_json(response)

    def _about_json(self, response: Response) -> Iterator[str]:
        if not response.is_whole:
            yield f"its body is larger than {len(response.body)} bytes, so its JSON cannot be judged (--max-body)"
            return
        try:
            document = json_value.parse(response.text)
        except ValueError as error:
            yield f"its body is not JSON: {error}"
            return
        for condition in self.json:
            complaint = condition.complaint(document)
            if complaint:
                yield complaint
