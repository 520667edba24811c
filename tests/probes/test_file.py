"""A file as a maintenance switch, and as a heartbeat."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli import hacheck
from tests.probes.asking import line_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTRACTS = ()
BASES = ("/x",)
SAMPLES = {"PATH": "/etc/hostname"}


@pytest.fixture
def switch(tmp_path: Path) -> Path:
    """A file modified ten minutes ago."""
    path = tmp_path / "switch"
    path.touch()
    ten_minutes_ago = time.time() - 600
    os.utime(path, (ten_minutes_ago, ten_minutes_ago))
    return path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param((), "PASS - {} exists, modified 10 min ago", id="present"),
        pytest.param(("--absent",), "FAIL - {} exists, modified 10 min ago", id="not-absent"),
        pytest.param(("--younger-than", "1h"), "PASS - {} exists, modified 10 min ago", id="young"),
        pytest.param(
            ("--younger-than", "5m"), "FAIL - {} exists, modified 10 min ago, longer than 5 min", id="not-young"
        ),
        pytest.param(("--older-than", "5m"), "PASS - {} exists, modified 10 min ago", id="old"),
        pytest.param(("--older-than", "1h"), "FAIL - {} exists, modified 10 min ago, less than 60 min", id="not-old"),
        pytest.param(
            ("--absent", "--expires-after", "5m"),
            "PASS - {} exists, modified 10 min ago, expired after 5 min",
            id="a-forgotten-switch-ends-by-itself",
        ),
        pytest.param(
            ("--absent", "--expires-after", "1h"), "FAIL - {} exists, modified 10 min ago", id="not-expired-yet"
        ),
    ],
)
def test_a_file_that_is_there(switch: Path, words: tuple[str, ...], told: str) -> None:
    answer = hacheck("file", switch, *words)
    assert answer.line == told.format(switch)
    assert answer.code == (0 if told.startswith("PASS") else 1)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "nothing"
    assert hacheck("file", path) == (1, f"FAIL - {path} does not exist\n", "")
    assert hacheck("file", path, "--absent") == (0, f"PASS - {path} does not exist\n", "")


@pytest.fixture
def tomorrows(switch: Path) -> Path:
    """A file of tomorrow, as a node sees it whose clock is a day behind."""
    tomorrow = time.time() + 86400 + 30
    os.utime(switch, (tomorrow, tomorrow))
    return switch


@pytest.mark.parametrize(
    ("age", "words", "code"),
    [
        pytest.param(100, ("--absent", "--expires-after", "100s"), 0, id="expired-just-now"),
        pytest.param(100, ("--absent", "--expires-after", "160s"), 1, id="not-expired-yet"),
        pytest.param(100, ("--younger-than", "100s"), 1, id="as-old-as-it-must-not-be"),
        pytest.param(100, ("--older-than", "100s"), 0, id="as-old-as-it-must-be"),
        pytest.param(-30, ("--younger-than", "1s"), 0, id="a-clock-that-is-ahead-a-little"),
        pytest.param(-30, ("--older-than", "1s"), 1, id="which-makes-nothing-old"),
    ],
)
def test_an_age_is_judged_to_the_second(tmp_path: Path, age: float, words: tuple[str, ...], code: int) -> None:
    file = tmp_path / "file"
    file.touch()
    modified = time.time() - age
    os.utime(file, (modified, modified))
    answer = hacheck("file", file, *words)
    assert answer.code == code, answer
    assert not answer.line.startswith("UNKNOWN")


@pytest.mark.parametrize("words", [("--younger-than", "1m"), ("--older-than", "1m"), ("--expires-after", "8h")])
def test_an_age_in_the_future_is_not_believed_where_it_matters(tomorrows: Path, words: tuple[str, ...]) -> None:
    answer = hacheck("file", tomorrows, *words)
    assert answer.line == f"UNKNOWN - {tomorrows} was modified 24 h in the future; whose clock is wrong?"
    assert answer.code == 1


def test_where_no_age_is_asked_for_the_clock_may_be_behind(tomorrows: Path) -> None:
    assert hacheck("file", tomorrows) == (0, f"PASS - {tomorrows} exists, modified 24 h in the future\n", "")
    assert hacheck("file", tomorrows, "--absent") == (
        1,
        f"FAIL - {tomorrows} exists, modified 24 h in the future\n",
        "",
    )
    assert "age_seconds" not in hacheck("file", tomorrows, "--format", "json").line


@pytest.mark.parametrize("target", ["nothing", "link", "/etc/passwd/x"], ids=["gone", "itself", "no-directory"])
def test_a_link_that_leads_nowhere_is_neither_a_file_nor_absent(tmp_path: Path, target: str) -> None:
    link = tmp_path / "link"
    link.symlink_to(target)
    for words in ((), ("--absent",), ("--younger-than", "1h"), ("--absent", "--expires-after", "1h")):
        answer = hacheck("file", link, *words)
        assert answer.line.startswith(f"FAIL - {link} is a link that leads nowhere, modified "), words
        assert answer.code == 1
    os.utime(link, (0, 0), follow_symlinks=False)
    assert hacheck("file", link, "--absent", "--expires-after", "1h").code == 0
    tomorrow = time.time() + 86400
    os.utime(link, (tomorrow, tomorrow), follow_symlinks=False)
    assert hacheck("file", link).code == hacheck("file", link, "--absent").code == 1


def test_a_link_is_followed(switch: Path) -> None:
    link = switch.with_name("link")
    link.symlink_to(switch)
    assert hacheck("file", link).line == f"PASS - {link} exists, modified 10 min ago"


UNLOOKABLE = {
    "no-directory": ("/etc/passwd/x", "Not a directory"),
    "a-name-that-is-too-long": ("/" + "x" * 300, "File name too long"),
    "a-path-that-is-too-long": ("/" + "x/" * 2500 + "x", "File name too long"),
    "a-loop-on-the-way": ("{}/loop/x", "Too many levels of symbolic links"),
}


@pytest.mark.parametrize(("path", "why"), UNLOOKABLE.values(), ids=UNLOOKABLE)
@pytest.mark.parametrize("words", [(), ("--absent",)], ids=["present", "absent"])
def test_what_cannot_be_looked_at_is_neither_there_nor_absent(
    tmp_path: Path, path: str, why: str, words: tuple[str, ...]
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    answer = hacheck("file", path.format(tmp_path), *words)
    assert answer.line.startswith("UNKNOWN - cannot look at /")
    assert answer.line.endswith(f": {why}") or len(path) > 400
    assert answer.code == 1


@contextmanager
def nobody() -> Iterator[None]:
    """This process is nobody's, for as long as the block takes."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("through", ["file", "link"])
@pytest.mark.parametrize("words", [(), ("--absent",)], ids=["present", "absent"])
def test_what_may_not_be_looked_at_is_neither_there_nor_absent(through: str, words: tuple[str, ...]) -> None:
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("needs root, to become nobody")
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        locked = Path(name, "locked")
        locked.mkdir(0o700)
        (locked / "file").touch()
        Path(name, "link").symlink_to("locked/file")
        path = locked / "file" if through == "file" else Path(name, "link")
        with nobody():
            told = line_of("file", path, *words)
    assert told.startswith("UNKNOWN - cannot look at ")
    assert told.endswith(": Permission denied")


def test_neither_a_pipe_nor_a_device_keeps_it_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/null"):
        assert hacheck("file", path).line.startswith(f"PASS - {path} exists, modified ")
        assert hacheck("file", path, "--absent").line.startswith(f"FAIL - {path} exists, modified ")


def test_a_file_of_any_size_is_there(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 34)
    assert hacheck("file", tmp_path / "huge").code == 0


def test_a_directory_is_no_file_whatever_is_asked_of_it(tmp_path: Path) -> None:
    for words in ((), ("--absent",), ("--older-than", "1s"), ("--absent", "--expires-after", "1s")):
        assert hacheck("file", tmp_path, *words).line == f"UNKNOWN - {tmp_path} is a directory, not a file"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("etc/x",), "'etc/x' is not an absolute path (Keepalived starts checks in /)", id="relative"),
        pytest.param(
            ("/x", "--absent", "--younger-than", "1s"),
            "--absent goes with neither --younger-than nor --older-than; use --expires-after",
            id="contradiction",
        ),
        pytest.param(("/run/x/",), "'/run/x/' is not the path of a file", id="directory"),
        pytest.param((), "PATH is missing", id="nothing"),
    ],
)
def test_what_makes_no_question_is_refused(words: tuple[str, ...], message: str) -> None:
    assert hacheck("file", *words) == (2, "", f"hacheck: file: {message}\n")
