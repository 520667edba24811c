"""Findings in each format say the same, and nothing that a file holds can say anything else."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.ipfailover.lint import formats
from hachecks.ipfailover.lint.catalogue import RULES
from hachecks.ipfailover.lint.rule import SEVERITIES, Finding
from hachecks.ipfailover.lint.sarif import as_sarif
from hachecks.ipfailover.variable import Place
from tests.ipfailover.given import many
from tests.ipfailover.lint_cases import CASES

if TYPE_CHECKING:
    from typing import Any

RULE = RULES["HA007"]
ODD = "a,b:c%d\r\n::error::x\u2028\u202e\x1b[2J"
odd = st.one_of(st.text(max_size=30), st.just(ODD))
places = st.builds(lambda file, line, what: Place(f"{file}: {what}", file, line, what), odd, st.integers(0, 99), odd)
findings = st.lists(st.builds(Finding, st.sampled_from(list(RULES.values())), places, odd, odd), max_size=4)


def sarif(found: list[Finding], documentation: str = "") -> Any:
    return json.loads(as_sarif(found, tuple(RULES.values()), documentation))


@many
@given(findings)
def test_a_finding_is_one_line_whatever_the_files_hold(found: list[Finding]) -> None:
    for text in (formats.as_text(found), formats.as_github(found)):
        assert len(text.splitlines()) == len(found)
        assert all(line.isprintable() for line in text.splitlines())
    for line, one in zip(formats.as_github(found).splitlines(), found):
        command = re.fullmatch(r"::(error|warning|notice) (?:file=[^,:]+,)?(?:line=\d+,)?title=([^,:]+)::.*", line)
        assert command
        assert command[2].startswith(one.rule.code)
    for text in (formats.as_json(found), as_sarif(found, tuple(RULES.values()))):
        assert text.isascii()
        assert "\n" not in text


def test_a_command_of_a_workflow_is_escaped_as_the_runner_reads_it() -> None:
    place = Place("", "a,b:c.yaml", 7, "x%y\nz")
    line = formats.as_github([Finding(RULE, place, "what", "cure")])
    title = RULE.title.replace(",", "%2C")
    assert line == f"::warning file=a%2Cb%3Ac.yaml,line=7,title=HA007 {title}::x%25y%0Az: what; cure"


def test_what_is_in_no_file_has_neither_file_nor_line() -> None:
    found = [Finding(RULE, Place.of("--stock"), "what", "cure")]
    assert formats.as_github(found).startswith("::warning title=HA007")
    (one,) = json.loads(formats.as_json(found))["findings"]
    assert (one["file"], one["line"], one["place"]) == (None, None, "--stock")


def test_json_has_all_there_is_to_say() -> None:
    found = [Finding(RULE, Place("F: x", "F", 3, "x"), "what", "cure")]
    (one,) = json.loads(formats.as_json(found))["findings"]
    assert one == {
        "code": "HA007",
        "severity": "warning",
        "title": RULE.title,
        "file": "F",
        "line": 3,
        "place": "x",
        "what": "what",
        "cure": "cure",
        "documentation": "docs/lint.md#ha007",
    }


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("./a b.yaml", "a%20b.yaml"),
        ("/x/y.yaml", "file:///x/y.yaml"),
        ("", "variables"),
        ("standard input", "standard%20input"),
        ("a:b#c", "a%3Ab%23c"),
    ],
)
def test_a_place_in_sarif_is_a_uri_and_a_line(file: str, uri: str) -> None:
    (one,) = sarif([Finding(RULE, Place(file, file, 0, "x"), "what", "cure")])["runs"][0]["results"]
    (location,) = one["locations"]
    assert location["physicalLocation"] == {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}


def test_sarif_has_what_its_schema_and_code_scanning_require() -> None:
    found = [one for case in CASES for one in case.wrong.findings()]
    log = sarif(found, "https://example.test/docs/")
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    driver = log["runs"][0]["tool"]["driver"]
    assert {"name", "semanticVersion", "rules"} <= driver.keys()
    for rule in driver["rules"]:
        assert all(rule[key]["text"] for key in ("shortDescription", "fullDescription", "help"))
        assert rule["help"]["markdown"]
        assert rule["helpUri"] == f"https://example.test/docs/lint.md#{rule['id'].lower()}"
        assert rule["defaultConfiguration"]["level"] in SEVERITIES
        assert len(rule["shortDescription"]["text"]) <= 1024
        assert re.fullmatch(r"[a-z0-9_]+", rule["name"])
    results = log["runs"][0]["results"]
    assert len(results) == len(found) > 100
    for one in results:
        assert driver["rules"][one["ruleIndex"]]["id"] == one["ruleId"]
        assert one["level"] in SEVERITIES
        assert one["message"]["text"]
        (location,) = one["locations"]
        assert location["physicalLocation"]["region"]["startLine"] >= 1
        assert location["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch("[0-9a-f]{64}", one["partialFingerprints"]["finding/v1"])
    assert "helpUri" not in sarif([])["runs"][0]["tool"]["driver"]["rules"][0]


def test_a_finding_stays_itself_when_lines_are_added_above_it() -> None:
    before, after = (Finding(RULE, Place("F: x", "F", line, "x"), "what", "cure") for line in (3, 9))
    other = Finding(RULE, Place("F: y", "F", 3, "y"), "what", "cure")
    prints = [one["partialFingerprints"]["finding/v1"] for one in sarif([before, after, other])["runs"][0]["results"]]
    assert prints[0] == prints[1] != prints[2]
