"""Findings as SARIF 2.1.0, which code scanning of GitHub and others read."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from hachecks import __version__
from hachecks.ipfailover.lint.rule import PAGE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hachecks.ipfailover.lint.rule import Finding, Rule
    from hachecks.ipfailover.variable import Place

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
NO_FILE = "variables"
"""The name that stands for a file where there is none, since code scanning takes no result without one."""


def as_sarif(findings: Sequence[Finding], rules: Sequence[Rule], documentation: str = "") -> str:
    """The log of one run: every rule, and what was found; `documentation` is the URL below which our pages are."""
    index = {rule.code: number for number, rule in enumerate(rules)}
    driver: dict[str, Any] = {
        "name": "hacheck ipfailover lint",
        "semanticVersion": __version__,
        "rules": [_rule(one, documentation) for one in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, index[one.rule.code]) for one in findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(rule: Rule, documentation: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": rule.code,
        "name": rule.find.__name__,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {
            "text": f"{rule.why} Cure: {rule.cure}. Known from: {rule.evidence}. See {rule.anchor}",
            "markdown": f"{rule.why}\n\n**Cure:** {rule.cure}.\n\nKnown from: {rule.evidence}.\n\nSee {rule.anchor}",
        },
        "defaultConfiguration": {"level": rule.severity},
    }
    if documentation:
        found["helpUri"] = f"{documentation.rstrip('/')}/{rule.anchor[len(os.path.dirname(PAGE)) + 1 :]}"
    return found


def _result(one: Finding, index: int) -> dict[str, Any]:
    what = one.place.what or str(one.place)
    identity = "\0".join((one.rule.code, one.place.file, what, one.what))
    return {
        "ruleId": one.rule.code,
        "ruleIndex": index,
        "level": one.rule.severity,
        "message": {"text": f"{what}: {one.what}; {one.cure}" if what else f"{one.what}; {one.cure}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri(one.place)},
                    "region": {"startLine": one.place.line or 1},
                },
                "logicalLocations": [{"fullyQualifiedName": what or one.rule.code}],
            }
        ],
        # The line is no part of it, so that a finding stays one where others are added above it.
        "partialFingerprints": {"finding/v1": hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()},
    }


def uri(place: Place) -> str:
    """The file as a URI: relative to where lint runs, unless it is named by its whole path."""
    path = os.path.normpath(place.file) if place.file else NO_FILE
    return f"file://{quote(path, errors='replace')}" if path.startswith("/") else quote(path, errors="replace")
