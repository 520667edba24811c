"""Each finding of lint is shown by an input, and not found in the corrected one; every rule is explained in full."""

from __future__ import annotations

import re

import pytest

from hachecks.ipfailover.lint.catalogue import RULES, THEMES
from hachecks.ipfailover.lint.rule import SEVERITIES, Rule
from tests.ipfailover.lint_cases import CASES, MODULES, Case


@pytest.mark.parametrize("case", [pytest.param(one, id=f"{one.code}-{number}") for number, one in enumerate(CASES)])
def test_what_is_wrong_is_found_and_what_is_corrected_is_not(case: Case) -> None:
    assert case.code in case.wrong.codes()
    assert case.code not in case.right.codes()


@pytest.mark.parametrize("rule", [pytest.param(one, id=one.code) for one in RULES.values()])
def test_every_rule_has_a_case_that_shows_it_and_is_explained(rule: Rule) -> None:
    assert rule.code in {case.code for case in CASES}, f"nothing in {[one.__name__ for one in MODULES]} shows it"
    assert re.fullmatch("HA[0-9]{3}", rule.code)
    assert rule.severity in SEVERITIES
    assert all((rule.title, rule.why, rule.cure, rule.evidence))
    assert rule.why.endswith(".")
    assert not rule.cure.endswith(".")
    assert "\n" not in "".join(rule[:6])


def test_no_two_rules_have_one_code() -> None:
    declared = [one.code for theme in THEMES for one in theme.RULES]
    assert len(declared) == len(set(declared))
    assert list(RULES) == sorted(declared)
