"""Each finding of lint is shown by an input, and not found in the corrected one; every rule is explained in full."""

from __future__ import annotations

import re

import pytest

from hachecks.ipfailover.lint.catalogue import RULES, THEMES
from hachecks.ipfailover.lint.rule import SEVERITIES, Rule
from tests.ipfailover.lint_cases import CASES, MODULES, Case
from tests.ipfailover.lint_cases_ours import OURS, two
from tests.ipfailover.linting import Given

TRAPS = {
    3: "HA209 HA320", 4: "HA206 HA207", 5: "HA220 HA221 HA222 HA092", 6: "HA309 HA230 HA231 HA232 HA323",
    7: "HA248", 9: "HA102 HA104 HA107 HA108", 10: "HA125", 12: "HA223 HA224 HA091", 13: "HA249", 14: "HA022 HA007",
    15: "HA110 HA121 HA111", 16: "HA115 HA142 HA144 HA145", 17: "HA204 HA210",
}  # fmt: skip
"""Findings of the traps that can be seen in what lint is given, by their numbers in the notes on failover systems."""


@pytest.mark.parametrize("number", TRAPS)
def test_every_trap_that_can_be_seen_has_its_findings(number: int) -> None:
    for code in TRAPS[number].split():
        assert any(case.code == code and code in case.wrong.codes() - case.right.codes() for case in CASES)


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


@pytest.mark.parametrize("version", ["", "4.19", "4.20", "5.1"])
def test_nothing_is_said_of_a_pod_of_ours_whatever_the_stock_image_would_do(version: str) -> None:
    assert Given((OURS,), stock=version).findings() == []


def test_only_ports_are_said_of_two_of_ours_on_the_same_nodes() -> None:
    assert two().codes() == {"HA311"}


def test_a_wrong_variable_in_a_mounted_file_has_the_line_of_the_file_that_has_the_config_map() -> None:
    wrong = OURS.replace("10.0.0.100-103", "10.0.0.100/24")
    (found,) = Given((wrong,)).findings()
    assert wrong.splitlines()[found.place.line - 1].strip() == "OPENSHIFT_HA_VIRTUAL_IPS=10.0.0.100/24"
