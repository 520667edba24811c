"""A verdict: what a probe found out, and the exceptions that become one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

LONGEST_REASON = 400
KINDS = ("auth", "body", "config", "dns", "internal", "protocol", "refused", "status", "timeout", "tls", "unreachable")
"""Kinds of reasons for a verdict that is not PASS.

`body` is any expectation that what was answered does not meet, `status` what the target says of itself by a code or by
being there; `auth` is a login, `config` anything else that is ours, and `internal` an error in hacheck.
"""


class Status:
    """PASS, FAIL, or UNKNOWN: the probe could not look.

    No `Enum`: with all that it imports it costs 14 M instructions, two thirds of what a bare interpreter takes.
    """

    __slots__ = ("value",)

    PASS: ClassVar[Status]
    FAIL: ClassVar[Status]
    UNKNOWN: ClassVar[Status]

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Status.{self.value}"


STATUSES = Status.PASS, Status.FAIL, Status.UNKNOWN = Status("PASS"), Status("FAIL"), Status("UNKNOWN")


class Failure(Exception):  # noqa: N818 - the name says what happened
    """The target did something that makes the verdict FAIL; the text is the reason, `kind` one of `KINDS`."""

    def __init__(self, reason: str, kind: str = "status") -> None:
        super().__init__(reason)
        self.kind = kind


class CannotLook(Exception):  # noqa: N818
    """The probe could not ask its question, which makes the verdict UNKNOWN; text and `kind` as in `Failure`."""

    def __init__(self, reason: str, kind: str = "config") -> None:
        super().__init__(reason)
        self.kind = kind


class Verdict:
    """A status, a one-sentence reason, what was measured, and how long each phase took.

    `measured` is in base units (seconds, bytes) with the unit at the end of the name; `phases` is in seconds. `kind` is
    one of `KINDS` unless it is PASS; a PASS has one when rise and fall, or --invert, made it of something else.
    """

    __slots__ = ("kind", "measured", "phases", "reason", "status")

    def __init__(
        self,
        status: Status,
        reason: str,
        measured: Mapping[str, float] | None = None,
        phases: Mapping[str, float] | None = None,
        kind: str = "",
    ) -> None:
        self.status = status
        self.kind = kind or ("" if status is Status.PASS else "status")
        self.reason = one_line(reason)
        self.measured = dict(measured or {})
        self.phases = dict(phases or {})

    @classmethod
    def passing(cls, reason: str, **measured: float) -> Verdict:
        """PASS, for this reason."""
        return cls(Status.PASS, reason, measured)

    @classmethod
    def failing(cls, reason: str, kind: str = "body", **measured: float) -> Verdict:
        """FAIL, for this reason."""
        return cls(Status.FAIL, reason, measured, kind=kind)

    @classmethod
    def unknown(cls, reason: str, kind: str = "config", **measured: float) -> Verdict:
        """UNKNOWN: it could not be asked, for this reason."""
        return cls(Status.UNKNOWN, reason, measured, kind=kind)

    @property
    def inverted(self) -> Verdict:
        """The verdict of a probe that must fail: PASS and FAIL change places, UNKNOWN stays."""
        other = {Status.PASS: Status.FAIL, Status.FAIL: Status.PASS, Status.UNKNOWN: Status.UNKNOWN}
        return self.with_status(other[self.status])

    def with_status(self, status: Status, reason: str | None = None) -> Verdict:
        """The same measurements under another status and, if given, another reason."""
        return Verdict(status, self.reason if reason is None else reason, self.measured, self.phases, self.kind)

    def noted(self, note: str) -> Verdict:
        """The same verdict with a note after its reason, which gives way where both are too long."""
        room = max(1, LONGEST_REASON - len(note) - len(" []"))
        reason = self.reason if len(self.reason) <= room else self.reason[: room - 1] + "…"
        return self.with_status(self.status, f"{reason} [{note}]")

    def __repr__(self) -> str:
        return f"{self.status.value} - {self.reason}"


def one_line(text: str) -> str:
    """The text as one printable line of bounded length: what a server says may hold anything."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"


def visible(text: str) -> str:
    r"""The text with every character spelled out that is not printed, or acts on what is: `\x1b`, `\u202e`.

    For names and other words whose letters matter, wherever a person reads them; nothing is cut or left out.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _spelled_out(c) for c in text)


def _spelled_out(character: str) -> str:
    """As Python writes it; a byte that is no UTF-8, which Python keeps as a surrogate, as that byte."""
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return ascii(character)[1:-1]


def in_words(seconds: float) -> str:
    """A duration as a person says it: `12 ms`, `1.5 s`, `3 min`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.0095 else f"{seconds * 1000:.1f} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    for unit, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    raise AssertionError(seconds)
