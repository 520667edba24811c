"""What the agent publishes of a verdict, and what it need not write again."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

from hachecks.agent.check import AgentCheck
from hachecks.agent.left import LeftAnswer
from hachecks.agent.publisher import Publisher
from hachecks.checks import answer
from hachecks.checks.answer import Answer, Asked
from hachecks.checks.results import CheckResults
from hachecks.checks.runner import RunOptions
from hachecks.checks.schedule import Schedule, Weight
from hachecks.mounts import file_system
from hachecks.node import CONFIG_FILE
from hachecks.probes.file import FileProbe
from hachecks.state import boot_id
from hachecks.verdict import Status, Verdict

GOOD, BAD = Verdict.passing("it is well"), Verdict.failing("it is not")


class Node:
    """A publisher, and a check that asks nothing."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.state.mkdir()
        self.track = directory / "track" / "web"
        self.track.parent.mkdir()
        self.told: list[str] = []
        self.config = str(directory / "hacheck.toml")
        self.publisher = Publisher(self.config, str(self.state), self.told.append)
        self.check = self.declared()

    def declared(self, interval: float = 1.0, fall: int = 1, weight: Weight | None = None) -> AgentCheck:
        options = RunOptions(interval=interval, fall=fall, timeout=1.0)
        return AgentCheck(
            "web", FileProbe(path="/nowhere"), options, Schedule(track_file=str(self.track), weight=weight)
        )

    def publish(self, verdict: Verdict, ago: float = 0.0) -> None:
        """A run has ended that began so many seconds ago."""
        began = time.monotonic() - ago
        self.publisher.publish(self.check, self.check.standing.after(verdict, began), began)

    @property
    def answer(self) -> Answer | None:
        return answer.find(Asked("web", self.config, answer.given({})), [str(self.state)])

    def files(self) -> dict[str, tuple[int, int]]:
        """What would tell of a file that it was written, by its name."""
        every = [*self.state.iterdir(), *self.track.parent.iterdir()]
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in every}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.mark.parametrize(("verdict", "good", "number"), [(GOOD, True, "0\n"), (BAD, False, "1\n")])
def test_a_verdict_is_an_answer_and_a_number(node: Node, verdict: Verdict, good: bool, number: str) -> None:
    node.publish(verdict)
    assert node.answer is not None
    assert (node.answer.good, node.answer.line) == (good, repr(verdict))
    assert node.track.read_text() == number
    assert CheckResults.parse((node.state / "verdict-web").read_text()) == node.check.results
    assert (node.state / "last-failure").exists() is not good
    assert node.told == []


def test_an_answer_whose_end_takes_one_digit_more_is_written_anew(tmp_path: Path) -> None:
    left = LeftAnswer(str(tmp_path), Asked("web", CONFIG_FILE, ""), boot_id())
    for needed, until in ((90, 95), (98, 99), (100, 105), (104, 110)):
        left.leave("told", GOOD, True, needed, until)
        assert Answer.parse((tmp_path / "answer-web").read_text()).until == left.until
        assert left.until >= needed


@pytest.mark.parametrize("directory", ["/dev/shm", "/var/tmp"])
def test_an_answer_is_of_this_boot_where_a_disk_would_keep_it(directory: str) -> None:
    with tempfile.TemporaryDirectory(dir=directory) as made:
        node = Node(Path(made))
        node.publish(GOOD)
        assert node.answer is not None
        assert node.answer.boot == (answer.IN_MEMORY if file_system(made) == "tmpfs" else boot_id())


def test_an_answer_counts_for_two_intervals_the_timeout_and_half_a_second_at_most(node: Node) -> None:
    for interval, most in ((0.1, 1.7), (1.0, 3.5), (60.0, 121.5)):
        node.check = node.declared(interval)
        node.publisher.keep(set())
        node.publish(GOOD)
        assert node.answer is not None
        lasts = (node.answer.until - answer.now()) / 100
        assert interval * 1.05 + 1.0 < lasts <= most


def test_what_has_not_changed_is_not_written_again(node: Node) -> None:
    node.publish(Verdict.passing("it is well after 0.1 ms"))
    before = node.files()
    node.publish(Verdict.passing("it is well after 2 ms"))
    assert node.files() == before
    assert node.check.results.runs == 2
    assert node.publisher.version == 2


def test_another_reason_is_told_at_once_and_other_numbers_are_not(node: Node) -> None:
    """Who is held down for a minute is not said for as long to have given its first good answer."""
    for reason, told in (
        ("good answer 1 of 2: it took 0.1 ms", None),
        ("good answer 2 of 3: it took 12.5 ms", "good answer 1 of 2: it took 0.1 ms"),
        ("held down, good for 1 s of 3 s: it took 0.1 ms", None),
        ("a refused", None),
        ("b refused", None),
    ):
        node.publish(Verdict.failing(reason))
        assert node.answer is not None
        assert node.answer.line == f"FAIL - {told or reason}"


def test_an_answer_is_prolonged_before_it_is_over(node: Node) -> None:
    node.check = node.declared(0.1)
    node.publish(Verdict.passing("it is well after 0.1 ms"), ago=0.6)
    first = node.answer
    assert first is not None
    number = (node.state / "answer-web").stat().st_ino
    node.publish(Verdict.passing("it is well after 2 ms"))
    second = node.answer
    assert second is not None
    assert second.until > first.until
    assert second.line == first.line
    assert (node.state / "answer-web").stat().st_ino == number


def test_what_another_has_put_there_is_not_prolonged(node: Node) -> None:
    """Another agent with another hacheck.toml."""
    node.check = node.declared(0.1)
    node.publish(GOOD, ago=0.6)
    now = answer.now()
    others = Answer(Asked("web", "/another.toml", ""), boot_id(), now, now + 10, False, "FAIL - another")
    answer.write(str(node.state), others)
    node.publish(GOOD)
    assert node.answer is not None
    assert node.answer.good


def test_a_verdict_that_comes_too_late_is_not_published(node: Node) -> None:
    """The agent was stopped while it asked."""
    node.publish(BAD)
    before = node.files()
    node.publish(GOOD, ago=node.check.lifetime + 0.1)
    assert node.files() == before
    assert node.check.verdict is not None
    assert node.check.verdict.status is Status.FAIL
    assert node.answer is not None
    assert not node.answer.good


@pytest.mark.parametrize("change", ["rewritten", "deleted"])
def test_a_number_that_another_has_put_there_is_mended(node: Node, change: str) -> None:
    node.publish(GOOD)
    if change == "rewritten":
        node.track.write_text("1\n")
    else:
        node.track.unlink()
    node.publish(GOOD)
    assert node.track.read_text() == "0\n"


def test_the_weight_is_the_number_where_there_is_one(node: Node) -> None:
    node.check = node.declared(weight=Weight(-10))
    node.publish(BAD)
    assert node.track.read_text() == "-10\n"


def test_a_missing_directory_of_the_track_file_is_told_once_and_leaves_the_guard_in_charge(node: Node) -> None:
    node.track.parent.rmdir()
    for _ in range(3):
        node.publish(BAD)
    assert node.answer is None
    assert [line.count("make its directory, before Keepalived starts") for line in node.told] == [1]
    node.track.parent.mkdir()
    node.publish(BAD)
    assert node.track.read_text() == "1\n"
    assert node.answer is not None


def test_a_state_directory_that_is_gone_is_told_once_and_the_number_is_written(node: Node) -> None:
    node.state.rmdir()
    for verdict in (GOOD, BAD, GOOD):
        node.publish(verdict)
    assert node.track.read_text() == "0\n"
    assert sorted(line.partition(":")[0] for line in node.told) == ["answers", "results"]
    node.state.mkdir()
    node.publish(GOOD)
    assert node.answer is not None


def test_results_go_on_from_those_that_are_kept(node: Node) -> None:
    for verdict in (GOOD, BAD, BAD):
        node.publish(verdict)
    kept = CheckResults.parse((node.state / "verdict-web").read_text())
    again = Node.__new__(Node)
    again.__dict__.update(node.__dict__)
    again.publisher = Publisher(node.config, str(node.state), node.told.append)
    again.check = node.declared()
    again.publish(BAD)
    assert again.check.results.runs == kept.runs + 1
    assert again.check.results.consecutive_failures == kept.consecutive_failures + 1
    assert again.publisher.fallbacks == {}


def test_runs_of_the_guard_are_counted_and_told(node: Node) -> None:
    node.publish(GOOD)
    others = CheckResults.parse((node.state / "verdict-web").read_text())
    for _ in range(3):
        others.count(BAD, False, time.time(), 0.2)
    (node.state / "verdict-web").write_text(others.to_text())
    node.publish(BAD)
    assert node.publisher.fallbacks == {"web": 3}
    assert node.check.results.runs == 5
    assert node.check.results.failures["body"][0] == 4
    assert CheckResults.parse((node.state / "verdict-web").read_text()) == node.check.results


def test_a_streak_is_left_for_the_guard(node: Node) -> None:
    node.check = node.declared(fall=3)
    for verdict in (GOOD, BAD, BAD):
        node.publish(verdict)
    boot, at, way, opposing, gap = (node.state / "streak-web").read_text().split()
    assert (boot, way, opposing) == (boot_id(), "up", "2")
    assert 0 <= time.clock_gettime(time.CLOCK_BOOTTIME) - float(at) < 60
    assert float(gap) == 1.0


def test_a_check_that_is_declared_no_more_is_not_answered(node: Node) -> None:
    node.publish(GOOD)
    node.publisher.keep(set())
    assert node.answer is None


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_what_stands_where_it_writes_is_set_aside(node: Node, kind: str) -> None:
    for name in ("answer-web", "answer-web~new", "verdict-web", "verdict-web~new", "last-failure~new"):
        path = node.state / name
        if kind == "link":
            path.symlink_to(node.state.parent / "elsewhere")
        elif kind == "fifo":
            os.mkfifo(path)
        else:
            path.mkdir()
            (path / "inside").touch()
    node.publish(BAD)
    assert node.told == []
    assert node.answer is not None
    assert not (node.state.parent / "elsewhere").exists()
