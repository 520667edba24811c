"""What is wrong on the segment is told once each, some of much, and left for other processes while it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks import state as kept
from hachecks.agent.wire.ears import Ears
from hachecks.agent.wire.judge import DEAF, DUPLICATE, Finding
from hachecks.agent.wire.watch import MOST_TOLD, WireWatch
from hachecks.exporter.sources import Sources
from hachecks.exporter.view_builder import ViewBuilder
from hachecks.wire import report
from tests.nodes import node_at

if TYPE_CHECKING:
    from pathlib import Path


def watch_in(directory: Path) -> tuple[WireWatch, Sources, list[str]]:
    told: list[str] = []
    found = WireWatch(Ears(None, None), kept.home(str(directory)), told.append)
    found._sources = Sources(node_at(directory), lambda _: None)
    return found, found._sources, told


def many(count: int) -> list[Finding]:
    return [Finding(DUPLICATE, f"V{number:03}", f"V{number:03}: two owners") for number in range(count)]


def test_each_is_told_once_and_some_of_many(tmp_path: Path) -> None:
    watch, _, told = watch_in(tmp_path)
    for now in (1.0, 2.0):
        watch.show(many(1), now)
    assert told == ["V000: two owners"]
    watch.show(many(255), 3.0)
    assert len(told) == 1 + MOST_TOLD + 1
    assert told[-1] == f"and {254 - MOST_TOLD} more conflicts on the segment, which the status page has"
    watch.show([], 4.0)
    assert told[-1] == "on the segment all is well again"


def test_it_contradicts_that_all_is_well_also_for_another_process(tmp_path: Path) -> None:
    watch, sources, _ = watch_in(tmp_path)
    watch.show([*many(1), Finding(DEAF, "V000", "V000: deaf")], 1.0)
    other = Sources(node_at(tmp_path), lambda _: None)
    for one in (sources, other):
        one.refresh()
        view = ViewBuilder(one).view()
        assert view.disagreements == ("V000: deaf", "V000: two owners")
        assert not view.agrees
    watch.show([], 2.0)
    other.refresh()
    assert ViewBuilder(other).view().disagreements == ()


def test_a_report_that_is_old_or_none_says_nothing(tmp_path: Path) -> None:
    directory = kept.home(str(tmp_path))
    assert report.read(directory) == ()
    for text in ("", "[]", '{"at": 0, "found": ["x"]}', '{"at": "x", "found": []}', "[" * 5000, '{"at": 1e999}'):
        kept.replace(f"{directory}/{report.NAME}", text)
        assert report.read(directory) == ()
    report.write(directory, ("a",))
    assert report.read(directory) == ("a",)
