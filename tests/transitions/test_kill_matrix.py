"""Nothing that was acknowledged is lost, whoever is killed and whenever; what is told twice has the same key."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.cli import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 25
KILLS = 1000


class Outcome(NamedTuple):
    """What was acknowledged, what was delivered, and how many were killed for it."""

    kills: dict[str, int]
    acknowledged: set[str]
    delivered: list[dict[str, Any]]


def rage(directory: Path) -> Outcome:
    """Kill for a while, then let one deliverer end in peace."""
    executable = ROOT / "dist/hacheck"
    if executable.exists() and b"notify" in executable.read_bytes().partition(b"exec ")[0]:
        (directory / "hacheck").symlink_to(executable)
    done = subprocess.run(
        [sys.executable, "-m", "tests.killing", str(directory), str(SECONDS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return Outcome(told["kills"], set(told["acknowledged"]), list(delivered(directory / "sink")))


def delivered(sink: Path) -> list[dict[str, Any]]:
    """The lines of the sink; one that was cut by a kill is told again in whole."""
    found = []
    for line in sink.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            assert not line.endswith("}")
    return found


def test_whoever_is_killed_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    outcome = rage(tmp_path)
    assert sum(outcome.kills.values()) >= KILLS
    assert outcome.kills["deliverers"] >= 20
    assert len(outcome.acknowledged) >= KILLS
    assert outcome.acknowledged - {one["name"] for one in outcome.delivered} == set()
    assert ambiguous(outcome, "name", "key") == [], "what is told twice has the same key"
    assert ambiguous(outcome, "key", "name") == [], "no key is given twice"
    assert ambiguous(outcome, "number", "key") == [], "no number is given twice"
    times = Counter(one["key"] for one in outcome.delivered)
    assert sum(count > 1 for count in times.values()) < len(times) / 2, "what was told is remembered"


def ambiguous(outcome: Outcome, one: str, other: str) -> list[Any]:
    """What of the one kind belongs to several of the other; the names of other tests' events are not ours."""
    found: dict[Any, set[Any]] = {}
    for told in outcome.delivered:
        if told["name"].startswith(("kill-", "shell-")):
            found.setdefault(told[one], set()).add(told[other])
    return [key for key, some in found.items() if len(some) > 1]
