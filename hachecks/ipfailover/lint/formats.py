"""Findings as people read them, as JSON for programs, and as workflow commands of GitHub; `sarif` has another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.rule import ERROR, NOTE, WARNING
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.ipfailover.lint.rule import Finding, Rule

FORMAT = "hachecks_ipfailover_lint"
VERSION = 1
ANNOTATIONS = {ERROR: "error", WARNING: "warning", NOTE: "notice"}


def as_text(findings: Sequence[Finding]) -> str:
    """A line for each; nothing for none."""
    return "\n".join(
        visible(f"{one.place.exact}: {one.rule.severity} {one.rule.code}: {one.what}; {one.cure}") for one in findings
    )


def as_json(findings: Sequence[Finding]) -> str:
    """One line of JSON; `file` is null where it is in none, and `line` where it is not known."""
    return json.dumps({FORMAT: VERSION, "findings": [_fields(one) for one in findings]})


def _fields(one: Finding) -> dict[str, object]:
    return {
        "code": one.rule.code,
        "severity": one.rule.severity,
        "title": one.rule.title,
        "file": one.place.file or None,
        "line": one.place.line or None,
        "place": one.place.what or str(one.place),
        "what": one.what,
        "cure": one.cure,
        "documentation": one.rule.anchor,
    }


def as_github(findings: Sequence[Finding]) -> str:
    """A workflow command for each, which GitHub shows at the line."""
    return "\n".join(_command(one) for one in findings)


def _command(one: Finding) -> str:
    place = one.place
    properties = {
        "file": place.file,
        "line": str(place.line or ""),
        "title": f"{one.rule.code} {one.rule.title}",
    }
    written = ",".join(f"{name}={_escaped(text, ':,')}" for name, text in properties.items() if text)
    message = ": ".join(filter(None, (place.what or str(place), f"{one.what}; {one.cure}")))
    return f"::{ANNOTATIONS[one.rule.severity]} {written}::{_escaped(message)}"


def _escaped(text: str, separators: str = "") -> str:
    """As the runner reads it: what would end the line or the property is a percent sign and two digits."""
    for character in ("%", "\r", "\n", *separators):
        text = text.replace(character, f"%{ord(character):02X}")
    return visible(text)


def explained(rule: Rule) -> str:
    """All that there is to say of a rule."""
    return "\n\n".join(
        (
            f"{rule.code} ({rule.severity}): {rule.title}",
            rule.why,
            f"Cure: {rule.cure}.",
            f"Known from: {rule.evidence}.",
            f"See {rule.anchor}",
        )
    )
