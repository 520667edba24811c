"""Whatever a parser is given, it answers within its means, or refuses it as it documents."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz import seeds
from tests.fuzz.mutation import mutated
from tests.fuzz.parsers import TARGETS
from tests.fuzz.run import Campaign
from tests.fuzz.target import MOST_MEMORY, MOST_SECONDS, Finding, Target, examine

if TYPE_CHECKING:
    from collections.abc import Callable

INPUTS = 300
# Not mended yet; each is to leave this table with the mend.
OPEN: dict[str, str] = {}
NAMES = [target.name for target in TARGETS]


def inputs_like(target: Target) -> st.SearchStrategy[bytes]:
    changed = st.integers(0, 2**32).map(lambda number: mutated(target.seeds, random.Random(number)))
    return st.one_of(st.sampled_from(target.seeds), st.binary(max_size=1024), changed, changed, changed)


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # of inputs as long as servers may send
@pytest.mark.parametrize(
    "target",
    [
        pytest.param(one, id=one.name, marks=[pytest.mark.skip(OPEN[one.name])] if one.name in OPEN else [])
        for one in TARGETS
    ],
)
def test_whatever_comes_is_answered_or_refused_in_documented_words(target: Target) -> None:
    # Not shrunk: that gives a slow input some hundred times more.
    @settings(max_examples=INPUTS, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
    @given(inputs_like(target))
    def examined(data: bytes) -> None:
        examine(target, data)

    examined()


@pytest.mark.parametrize("target", TARGETS, ids=NAMES)
def test_what_is_right_is_understood(target: Target) -> None:
    """One seed at least gets through, or nothing behind the first refusal is ever tried."""
    assert any(examine(target, seed) == "" for seed in target.seeds if seeds.DEEP not in seed)


def spending(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


@pytest.mark.parametrize(
    ("run", "what"),
    [
        (lambda data: data[10], "IndexError"),
        (lambda _: spending(1.2 * MOST_SECONDS), "slow"),
        (lambda _: bytearray(b"x") * int(1.2 * MOST_MEMORY), "memory"),
    ],
)
def test_an_error_and_what_costs_too_much_are_findings(run: Callable[[bytes], object], what: str) -> None:
    Path("/proc/self/clear_refs").write_text("5")  # as if the process had never been larger than now
    with pytest.raises(Finding) as found:
        examine(Target("bad", run, [b""], (ValueError,)), b"")
    assert what in found.value.place


def test_what_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.target.LAST_SECONDS", 0.2)
    with pytest.raises(Finding, match="more than"):
        examine(Target("bad", lambda _: spending(1e9), [b""]), b"")


def test_a_long_run_says_what_it_did(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", "--inputs", "200", "exposition", "redirect"]
    environ = {**os.environ, "FUZZ_FINDINGS": str(tmp_path)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line.split()[:3] for line in done.stdout.splitlines()]
    assert told == [["exposition", "200", "inputs"], ["redirect", "200", "inputs"]]
    assert not list(tmp_path.iterdir())


def test_a_long_run_keeps_what_it_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.run.FINDINGS", tmp_path / "made")
    campaign = Campaign(Target("bad", lambda data: data[10], [b"0123456789abc"]))
    campaign.mutate(500, 0)
    assert not campaign.report()
    (kept,) = (tmp_path / "made").iterdir()
    assert len(kept.read_bytes()) <= 10
