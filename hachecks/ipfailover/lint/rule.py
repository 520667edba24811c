"""A rule of lint: a weakness with its code, how bad it is, what happens and why, its cure, and how it is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.variable import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hachecks.ipfailover.lint.subject import Subject

ERROR, WARNING, NOTE = SEVERITIES = ("error", "warning", "note")
"""An error takes VIPs down or serves one twice, a warning does so one day, and a note is to be known."""
PAGE = "docs/lint.md"
"""Where every rule is explained."""


class Found(NamedTuple):
    """What a rule found: where, and what happens there; `cure` and `severity` where they are other than the rule's."""

    place: str
    what: str
    cure: str = ""
    severity: str = ""


class Rule(NamedTuple):
    """A rule; `find` is a pure function of what is given.

    `title` is the weakness in a few words, `why` what happens and why, and `evidence` where that is known from.
    """

    code: str
    severity: str
    title: str
    why: str
    cure: str
    evidence: str
    find: Callable[[Subject], Iterable[Found]]

    @property
    def anchor(self) -> str:
        """Where it is explained."""
        return f"{PAGE}#{self.code.lower()}"


class Finding(NamedTuple):
    """A weakness of what is given: its rule, as bad as it is here, the place, what happens there, and the cure."""

    rule: Rule
    place: Place
    what: str
    cure: str


def rule(
    code: str, severity: str, title: str, *, why: str, cure: str, evidence: str
) -> Callable[[Callable[[Subject], Iterable[Found]]], Rule]:
    """Declare a rule by the function that finds its weakness."""
    return lambda find: Rule(code, severity, title, why, cure, evidence, find)


def findings_of(one: Rule, subject: Subject) -> list[Finding]:
    """What a rule finds, each once."""
    found = (
        Finding(one._replace(severity=severity or one.severity), Place.of(place), what, cure or one.cure)
        for place, what, cure, severity in one.find(subject)
    )
    return list(dict.fromkeys(found))
