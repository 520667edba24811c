"""Findings as people and programs read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.ipfailover.lint.rule import Finding, Rule


def as_text(findings: Sequence[Finding]) -> str:
    """A line for each."""
    return "\n".join(
        visible(f"{one.place.exact}: {one.rule.severity} {one.rule.code}: {one.what}; {one.cure}") for one in findings
    )


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
