"""What the pod's first process reports is what the agent reads, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hachecks import pod_report
from hachecks.pod_report import PREFLIGHT, RUNNING, PodReport

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    PodReport(RUNNING, ("eth0 has no carrier; plug it in",), "it waits", {"agent": 2}, 3).write(str(tmp_path))
    found = pod_report.read(str(tmp_path))
    assert found
    assert (found.phase, found.findings, found.held) == (RUNNING, ("eth0 has no carrier; plug it in",), "it waits")
    assert (found.restarts, found.reloads, found.is_stale) == ({"agent": 2}, 3, False)


def test_an_old_one_is_stale(tmp_path: Path) -> None:
    PodReport(PREFLIGHT, at=0.0).write(str(tmp_path))
    found = pod_report.read(str(tmp_path))
    assert found
    assert found.is_stale


@pytest.mark.parametrize("text", ["", "[]", "{", '{"phase": "running"}', '{"phase": 1e999}', "[" * 100_000])
def test_what_is_no_report_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / pod_report.NAME).write_text(text)
    assert pod_report.read(str(tmp_path)) is None


@pytest.mark.parametrize("at", [float("nan"), float("inf")])
def test_a_time_that_is_none_is_none(tmp_path: Path, at: float) -> None:
    PodReport(RUNNING, at=at).write(str(tmp_path))
    assert pod_report.read(str(tmp_path)) is None


def test_a_phase_that_nobody_knows_is_none(tmp_path: Path) -> None:
    PodReport("dancing").write(str(tmp_path))
    assert pod_report.read(str(tmp_path)) is None
