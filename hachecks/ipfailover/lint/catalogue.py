"""The catalogue: every rule of lint by its code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint import stock_elections, stock_ids, stock_text, stock_vips, understood
from hachecks.ipfailover.lint.rule import findings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.ipfailover.lint.rule import Finding, Rule
    from hachecks.ipfailover.lint.subject import Subject

THEMES = (understood, stock_vips, stock_ids, stock_text, stock_elections)
"""Modules with `RULES`. Codes below HA100 are about variables (HA010 and on: what the stock image makes of them), those
of HA100 about Kubernetes objects, of HA200 about keepalived.conf, of HA300 about several configurations at once."""
RULES: Mapping[str, Rule] = {one.code: one for theme in THEMES for one in theme.RULES}


def lint(subject: Subject) -> list[Finding]:
    """Everything that is found, in the order of places, and of codes at one place."""
    found = [one for rule in RULES.values() for one in findings_of(rule, subject)]
    return sorted(found, key=lambda one: (one.place.file, one.place.line, str(one.place), one.rule.code))
