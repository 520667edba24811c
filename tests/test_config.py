"""hacheck.toml declares checks, and says nothing that is not understood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hachecks.checks import streak
from hachecks.checks.composition import Composition
from hachecks.config import named_check
from tests.cli import hacheck
from tests.talker import greet_and_echo, talking

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
[check.passwd]
probe = "file"
path = "/etc/passwd"
interval = "5s"

[check.shadow-copy]
probe = "file"
path = "/nonexistent"
absent = true
timeout = "3s"

[check.missing]
probe = "file"
path = "/nonexistent"

[check.unlookable]
probe = "file"
path = "/etc"

[check.both]
all = ["passwd", "shadow-copy"]

[check.one]
any = ["missing", "passwd"]

[check.two]
any = ["missing", "passwd", "shadow-copy"]
at_least = 2

[check.not-both]
all = ["passwd", "missing"]

[check.dark]
all = ["passwd", "unlookable"]

[check.nested]
all = ["both", "one"]

[check.upside-down]
all = ["passwd"]
invert = true
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "hacheck.toml"
    path.write_text(GOOD)
    return path


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param("passwd", "PASS - /etc/passwd exists, modified ", id="probe"),
        pytest.param("both", "PASS - ", id="all"),
        pytest.param("one", "PASS - passwd: /etc/passwd exists", id="any"),
        pytest.param("two", "PASS - ", id="at-least"),
        pytest.param("not-both", "FAIL - missing: /nonexistent does not exist", id="all-but-one"),
        pytest.param("dark", "UNKNOWN - unlookable: /etc is a directory, not a file", id="unknown"),
        pytest.param("nested", "PASS - ", id="nested"),
        pytest.param("upside-down", "FAIL - passwd: /etc/passwd exists", id="inverted"),
    ],
)
def test_a_named_check_is_run(good: Path, name: str, told: str) -> None:
    answer = hacheck("run", name, "--config", good)
    assert answer.line.startswith(told), answer
    assert answer.code == (0 if told.startswith("PASS") else 1)


def test_a_flag_counts_more_than_the_file(good: Path) -> None:
    assert hacheck("run", "passwd", "--config", good, "--invert").code == 1


def test_the_file_may_be_named_by_a_variable(good: Path) -> None:
    assert hacheck("run", "passwd", HACHECK_CONFIG=str(good)).code == 0


def test_a_dialogue_is_declared_as_a_list(tmp_path: Path) -> None:
    with talking(greet_and_echo) as talker:
        path = tmp_path / "hacheck.toml"
        path.write_text(
            f'[check.echo]\nprobe = "tcp"\ntarget = "{talker.address}"\n'
            'dialogue = ["expect 220", "send PING\\r\\n", "expect-regex ^you said PING"]\n'
        )
        assert hacheck("run", "echo", "--config", path, "--timeout", "10s").code == 0


def test_checks_lists_what_is_declared(good: Path) -> None:
    answer = hacheck("checks", "--config", good)
    assert answer.code == 0
    assert answer.out.splitlines()[:3] == [
        "passwd       file  /etc/passwd",
        "shadow-copy  file  /nonexistent",
        "missing      file  /nonexistent",
    ]
    assert "two          any   2 of missing, passwd, shadow-copy" in answer.out.splitlines()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("[check.a]\nprobe = nope", "Invalid value (at line 2, column 9)", id="no-toml"),
        pytest.param("[chek.a]\n", "unknown key chek; did you mean check?", id="unknown-table"),
        pytest.param("[check]\na = 1\n", "checks are tables; write [check.NAME]", id="no-table"),
        pytest.param('[check."a/b"]\n', "[check.a/b]: a name has letters, digits, - and _ only", id="name"),
        pytest.param("[check.a]\n", '[check.a]: needs one of probe = "…", all = […] or any = […]', id="empty"),
        pytest.param('[check.a]\nprobe = "fiel"\n', "[check.a]: no probe fiel; did you mean file?", id="probe"),
        pytest.param(
            '[check.a]\nprobe = "file"\npath = "/x"\nyounger_then = "1s"\n',
            "[check.a]: unknown key younger_then; did you mean younger_than?",
            id="key",
        ),
        pytest.param('[check.a]\nprobe = "file"\n', "[check.a]: path is missing", id="missing"),
        pytest.param(
            '[check.a]\nprobe = "file"\npath = "/x"\ntimeout = "1 fortnight"\n',
            "[check.a]: timeout: '1 fortnight' is not a duration (write 1.5s, 200ms, 5m, 1h30m or 7d)",
            id="unit",
        ),
        pytest.param(
            '[check.a]\nprobe = "file"\npath = "/x"\ninterval = "x"\n',
            "[check.a]: interval: 'x' is not a duration (write 1.5s, 200ms, 5m, 1h30m or 7d)",
            id="interval",
        ),
        pytest.param(
            '[check.a]\nprobe = "tcp"\ntarget = "x:0"\n',
            "[check.a]: target: '0' in 'x:0' is not a port (1 to 65535)",
            id="port",
        ),
        pytest.param(
            '[check.a]\nprobe = "file"\npath = "/x"\nstate_dir = "/tmp"\n',
            "[check.a]: state_dir is the node's, where notifications and the exporter look as well; "
            "set it by --state-dir or HACHECK_STATE_DIR",
            id="state-dir",
        ),
        pytest.param(
            '[check.a]\nprobe = "file"\npath = "/x"\nrise = 99999999999999999999\n',
            "[check.a]: rise: '99999999999999999999' is not a whole number",
            id="number",
        ),
        pytest.param('[check.a]\nprobe = ["file"]\n', "[check.a]: no probe ['file']; did you mean file?", id="probes"),
        pytest.param('[check.a]\nall = ["b"]\n', "no check b in [check.a]", id="member"),
        pytest.param('[check.a]\nall = ["a"]\n', "a -> a: a check cannot contain itself", id="itself"),
        pytest.param("[check.a]\nall = []\n", '[check.a]: all takes names of checks: all = ["one", "two"]', id="none"),
        pytest.param(
            '[check.a]\nany = ["b"]\nat_least = 2\n',
            "[check.a]: at_least goes with any and is a number from 1 to 1",
            id="at-least",
        ),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "hacheck.toml"
    path.write_text(text)
    for words in (("run", "a"), ("checks",)):
        answer = hacheck(*words, "--config", path)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err == f"hacheck: {path}: {message}\n"


def test_a_file_is_read_as_editors_write_it(tmp_path: Path) -> None:
    path = tmp_path / "hacheck.toml"
    for text in (f"\ufeff{GOOD}", GOOD.replace("\n", "\r\n"), "\ufeff" + GOOD.replace("\n", "\r\n")):
        path.write_bytes(text.encode())
        assert hacheck("run", "both", "--config", path).code == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param('# ü\n[check.a]\nprobe = "file"'.encode("latin-1"), "byte 3 is not UTF-8", id="latin-1"),
        pytest.param("[check.a]".encode("utf-16"), "byte 1 is not UTF-8", id="utf-16"),
        pytest.param(b"a = " + b"9" * 5000, "it has a number that is too long, or is nested too deeply", id="number"),
        pytest.param(b" " * (4 << 20) + b"\n", "it is larger than 4 MiB; name the file", id="large"),
        pytest.param(b"a = " + b"[" * 5000, "it has a number that is too long, or is nested too deeply", id="nested"),
    ],
)
def test_what_cannot_be_read_is_said_without_pythons_words(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "hacheck.toml"
    path.write_bytes(content)
    answer = hacheck("checks", "--config", path)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"hacheck: {path}: {message}")
    assert answer.err.count("\n") == 1


def naming_each_other(levels: int, width: int) -> str:
    """Checks of which each asks `width` of the next level."""
    lines = [f"[check.l{levels}n{n}]\nprobe = 'file'\npath = '/etc/passwd'" for n in range(width)]
    for level in range(levels):
        names = [f"l{level + 1}n{n}" for n in range(width)]
        lines += [f"[check.l{level}n{n}]\nall = {names}" for n in range(width)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("levels", "width", "message"),
    [
        pytest.param(16, 1, "", id="deep"),
        pytest.param(17, 1, "[check.l0n0]: checks in checks go 16 deep at most", id="too-deep"),
        pytest.param(900, 1, "[check.l0n0]: checks in checks go 16 deep at most", id="far-too-deep"),
        pytest.param(6, 2, "", id="wide"),
        pytest.param(
            12, 4, "[check.l0n0]: a check asks 256 others at most, nested ones included", id="millions-in-four-dozen"
        ),
    ],
)
def test_checks_in_checks_have_an_end(tmp_path: Path, levels: int, width: int, message: str) -> None:
    path = tmp_path / "hacheck.toml"
    path.write_text(naming_each_other(levels, width))
    answer = hacheck("run", "l0n0", "--config", path)
    assert answer.err == (f"hacheck: {path}: {message}\n" if message else "")
    assert answer.code == (2 if message else 0)


def test_a_member_remembers_where_and_for_as_long_as_the_check_that_asks_it(tmp_path: Path) -> None:
    path = tmp_path / "hacheck.toml"
    path.write_text(
        '[check.all]\nall = ["member"]\ninterval = "2h"\n'
        '[check.member]\nprobe = "file"\npath = "/etc/passwd"\nfall = 2\ninterval = "2s"\n'
    )
    (probe, *_) = named_check("all", str(path), {}, {}, str(tmp_path))
    assert isinstance(probe, Composition)
    (member,) = probe.members
    assert streak.lifetime(member.options) == 3 * 7200
    assert hacheck("run", "all", "--config", path, "--state-dir", tmp_path / "state").code == 0
    assert (tmp_path / "state" / "streak-all.member").exists()


def test_a_file_that_is_not_there_is_named() -> None:
    answer = hacheck("run", "a", "--config", "/nonexistent.toml")
    message = "/nonexistent.toml: No such file or directory; name the file with --config or HACHECK_CONFIG"
    assert answer == (2, "", f"hacheck: {message}\n")


def test_a_check_that_is_not_declared_is_named_with_the_nearest(good: Path) -> None:
    answer = hacheck("run", "pasword", "--config", good)
    assert answer == (2, "", f"hacheck: {good}: no check pasword; did you mean passwd?\n")


def test_checks_validates_and_lists_notifiers_too(tmp_path: Path) -> None:
    path = tmp_path / "hacheck.toml"
    path.write_text('[notifier.team]\nnotifier = "log"\nfile = "/tmp/x"\n')
    assert hacheck("checks", "--config", path) == (0, "team  log  notifier\n", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", 'needs notifier = "…"', id="empty"),
        pytest.param('notifier = "slak"', "no notifier slak; did you mean slack?", id="kind"),
        pytest.param('notifier = "log"\nfiel = "x"', "unknown key fiel; did you mean file?", id="key"),
        pytest.param(
            'notifier = "log"\nfallback = "teem"', "fallback: no notifier teem; did you mean team?", id="fallback"
        ),
        pytest.param(
            'notifier = "log"\nbody = "$nobody"',
            "body: there is no $nobody; there are $node, $severity, $summary, $changes, $why, $count",
            id="template",
        ),
    ],
)
def test_what_is_wrong_with_a_notifier_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "hacheck.toml"
    path.write_text(f"[notifier.team]\n{text}\n")
    answer = hacheck("checks", "--config", path)
    assert answer == (2, "", f"hacheck: {path}: [notifier.team]: {message}\n")
