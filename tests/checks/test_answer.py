"""The agent's verdict is what `hacheck run NAME` says, in every shell, while it counts; what is odd is looked at."""

from __future__ import annotations

import os
import random
import re
import shlex
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from hachecks.checks import answer
from hachecks.checks.answer import Answer, Asked
from hachecks.checks.runner import RunOptions
from hachecks.node import CONFIG_FILE
from hachecks.settings import settings_of
from hachecks.state import boot_id
from tests.test_executable import SHELLS, fresh

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.executable

CONFIG = "/etc/a path with  blanks/hacheck.toml"
LINE = r"PASS - 10.0.0.1:80 said `$(id)` \n %s*?[a] and  ü"
LOOKED = "python was started"
NOBODY = 65534


class Said(NamedTuple):
    """What the executable said, or that it went on to Python."""

    code: int
    out: str
    err: str

    @property
    def looked(self) -> bool:
        return self.out == f"{LOOKED}\n"


class Node:
    """A state directory, and an executable whose Python only says that it was started."""

    def __init__(self, executable: Path, directory: Path) -> None:
        self.executable = executable
        self.state = directory / "state"
        self.state.mkdir(0o755)
        self.bin = directory / "bin"
        self.bin.mkdir()
        (self.bin / "python3").write_text(f"#!/bin/sh\necho {LOOKED}\nexit 9\n")
        (self.bin / "python3").chmod(0o755)

    def says(self, shell: list[str], words: str = "run web", **environ: str) -> Said:
        asked = [*shell, str(self.executable), *shlex.split(words)]
        known = {"PATH": f"{self.bin}:/usr/bin:/bin", "HACHECK_CONFIG": CONFIG, "HACHECK_STATE_DIR": str(self.state)}
        done = subprocess.run(asked, env={**known, **environ}, capture_output=True, timeout=60, check=False)
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())

    @property
    def answer(self) -> Path:
        return self.state / "answer-web"


@pytest.fixture
def node(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Node:
    return Node(fresh(tmp_path_factory), tmp_path)


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> list[str]:
    shell: list[str] = request.param
    return shell


def published(
    name: str = "web",
    config: str = CONFIG,
    given: str = "||||||",
    boot: str = "",
    since: int = -1,
    lasts: int = 600_000,
    good: bool = True,
    line: str = LINE,
) -> Answer:
    """An answer that counts from `since`, in hundredths of a second from now, for so many more."""
    since += answer.now()
    return Answer(Asked(name, config, given), boot or boot_id(), since, since + lasts, good, line)


# What counts.


@pytest.mark.parametrize("good", [True, False])
def test_a_fresh_verdict_is_said_without_python(node: Node, shell: list[str], good: bool) -> None:
    answer.write(str(node.state), published(good=good))
    assert node.says(shell) == (0 if good else 1, f"{LINE}\n", "")


@pytest.mark.parametrize(
    "environ", [{"HACHECK_CONFIG": ""}, {"HACHECK_CONFIG": CONFIG_FILE}], ids=["not-named", "named"]
)
def test_the_usual_configuration_need_not_be_named(node: Node, shell: list[str], environ: dict[str, str]) -> None:
    answer.write(str(node.state), published(config=CONFIG_FILE))
    assert node.says(shell, **environ).out == f"{LINE}\n"
    assert node.says(shell, f"run web --config {CONFIG_FILE}").out == f"{LINE}\n"
    assert node.says(shell).looked
    assert answer.find(Asked("web", CONFIG_FILE, "||||||"), [str(node.state)]) is not None


def test_what_is_in_memory_alone_needs_no_boot(node: Node, shell: list[str]) -> None:
    answer.write(str(node.state), published(boot=answer.IN_MEMORY))
    assert node.says(shell).out == f"{LINE}\n"
    assert answer.find(Asked("web", CONFIG, "||||||"), [str(node.state)]) is not None


def test_it_is_said_without_a_fork(node: Node, shell: list[str], tmp_path: Path) -> None:
    answer.write(str(node.state), published())
    trace = tmp_path / "trace"
    tracing = ["strace", "-f", "-o", str(trace), "-e", "trace=fork,vfork,clone,clone3,execve"]
    assert node.says([*tracing, *shell]).code == 0
    assert [line.split()[1] for line in trace.read_text().splitlines()] == [f'execve("/usr/bin/{shell[0]}",', "+++"]


@pytest.mark.parametrize(
    "words",
    [
        "run web --config '{config}'",
        "run --config='{config}' web",
        "run --state-dir {state} web",
        "run web --state-dir={state} --config '{config}'",
    ],
)
def test_the_places_may_be_said_in_words(node: Node, shell: list[str], words: str) -> None:
    answer.write(str(node.state), published())
    asked = words.format(config=CONFIG, state=node.state)
    assert node.says(shell, asked, HACHECK_CONFIG="", HACHECK_STATE_DIR="/proc/nowhere").looked is (
        "--config" not in asked or "--state-dir" not in asked
    )
    assert node.says(shell, asked).out == f"{LINE}\n"


def test_what_variables_say_of_its_run_is_part_of_what_is_asked(node: Node, shell: list[str]) -> None:
    variables = {
        "HACHECK_TIMEOUT": "3s",
        "HACHECK_RETRIES": "1",
        "HACHECK_RISE": "2",
        "HACHECK_FALL": "3",
        "HACHECK_INTERVAL": "500ms",
        "HACHECK_ON_UNKNOWN": "pass",
        "HACHECK_INVERT": "true",
    }
    answer.write(str(node.state), published(given=answer.given(variables)))
    assert node.says(shell).looked
    assert node.says(shell, **variables).out == f"{LINE}\n"
    for variable in variables:
        assert node.says(shell, **{**variables, variable: ""}).looked


def test_the_variables_are_those_that_every_check_takes() -> None:
    assert answer.variables() == [f"HACHECK_{setting.name.upper()}" for setting in settings_of(RunOptions)]


def test_a_users_own_directory_in_a_shared_one_is_looked_into(node: Node, shell: list[str]) -> None:
    node.state.chmod(0o1777)
    own = node.state / f"hacheck-{os.geteuid()}"
    own.mkdir(0o755)
    answer.write(str(own), published())
    assert node.says(shell).out == f"{LINE}\n"


def test_a_neighbour_who_fills_a_shared_directory_holds_nobody_up(node: Node, shell: list[str], tmp_path: Path) -> None:
    node.state.chmod(0o1777)
    for number in range(3000):
        (node.state / f"hacheck-{number + 100000}").mkdir()
    trace = tmp_path / "trace"
    looking = ["strace", "-f", "-o", str(trace), "-e", "trace=%stat,faccessat,faccessat2,access"]
    assert node.says([*looking, *shell]) == (9, f"{LOOKED}\n", "")
    assert trace.read_text().count("/answer-web") < 500, "and not 3000 of them"


# What does not.


@pytest.mark.parametrize(
    "words",
    ["run", "run ''", "run '' web", "run web web", "run web --timeout 5s", "run web -v", "run web --format text",
     "run web --help", "run --config", "run web --config", "run web --config ''", "run web --config -x",
     "run web --nonsense", "run ../state/answer-web", "run other", "file web", "runs web"],
)  # fmt: skip
def test_more_than_the_name_is_looked_at(node: Node, shell: list[str], words: str) -> None:
    answer.write(str(node.state), published())
    assert node.says(shell, words).looked


@pytest.mark.parametrize("variable", ["HACHECK_FORMAT=text", "HACHECK_VERBOSE=false", "HACHECK_TIMEOUT=1s"])
def test_another_way_to_run_it_is_looked_at(node: Node, shell: list[str], variable: str) -> None:
    answer.write(str(node.state), published())
    name, _, value = variable.partition("=")
    assert node.says(shell, **{name: value}).looked


ODD: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "torn-head": lambda text: text[:60],
    "torn-line": lambda text: text[:-5],
    "no-line": lambda text: text[: text.rindex("PASS")],
    "other-format": lambda text: f"1{text[1:]}",
    "other-status": lambda text: text.replace(" 0\n", " 2\n"),
    "no-number": lambda text: re.sub(r"(?<= )[0-9]+(?= )", r"x\g<0>", text, count=1),
    "negative": lambda text: re.sub(r"(?<= )[0-9]+(?= )", r"-\g<0>", text, count=1),
    "number-too-long": lambda text: re.sub(r"(?<= )[0-9]+(?= )", r"99999999999999999999\g<0>", text, count=2),
    "one-word-more": lambda text: text.replace(" 0\n", " 0 x\n"),
    "no-times": lambda text: text[: text.index(" ")] + " web\n" + text.partition("\n")[2],
    "no-boot": lambda text: text.replace(boot_id(), ""),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_file_that_is_odd_is_looked_at(node: Node, shell: list[str], kind: str) -> None:
    node.answer.write_text(ODD[kind](published().to_text()))
    assert node.says(shell) == (9, f"{LOOKED}\n", "")
    assert answer.find(Asked("web", CONFIG, "||||||"), [str(node.state)]) is None


NOT_THIS = {
    "over": published(since=-6000, lasts=5000),
    "from-the-future": published(since=10**7),
    "other-boot": published(boot="0" * 8 + boot_id()[8:]),
    "other-check": published(name="other"),
    "other-config": published(config="/etc/a path with blanks/hacheck.toml"),
    "other-run": published(given="1s||||||"),
}


@pytest.mark.parametrize("kind", NOT_THIS)
def test_a_verdict_that_is_not_this_ones_is_looked_at(node: Node, shell: list[str], kind: str) -> None:
    node.answer.write_text(NOT_THIS[kind].to_text())
    assert node.says(shell).looked
    assert answer.find(Asked("web", CONFIG, "||||||"), [str(node.state)]) is None


@pytest.mark.parametrize("uptime", [None, "", "now", "3.20 1.0", "-1.00 1.0", "99999999999999999999.00 1.0"])
def test_an_odd_proc_is_left_to_python_without_a_word(node: Node, shell: list[str], uptime: str | None) -> None:
    answer.write(str(node.state), published())
    hides = "mount -t tmpfs none /proc"
    if uptime is not None:
        (node.state / "uptime").write_text(f"{uptime}\n")
        hides = f"mount --bind {node.state}/uptime /proc/uptime"
    asked = ["unshare", "--mount", "sh", "-c", f'{hides} && exec "$@"', "sh", *shell]
    assert node.says(asked) == (9, f"{LOOKED}\n", "")


def test_no_line_of_a_configurations_path_is_taken_for_another(node: Node, shell: list[str]) -> None:
    answer.write(str(node.state), published(config=f"{CONFIG}\nPASS - mine"))
    assert node.says(shell).looked
    assert node.says(shell, HACHECK_CONFIG=f"{CONFIG}\nPASS - mine").looked


def test_a_relative_path_of_the_configuration_is_looked_at(node: Node, shell: list[str]) -> None:
    answer.write(str(node.state), published(config=os.path.abspath("hacheck.toml")))
    assert node.says(shell, HACHECK_CONFIG="hacheck.toml").looked


@pytest.mark.parametrize("kind", ["link", "fifo", "directory", "anothers", "linked-directory", "others-directory"])
def test_what_is_no_plain_file_of_ours_is_looked_at(node: Node, shell: list[str], kind: str, tmp_path: Path) -> None:
    text = published().to_text()
    if kind == "link":
        (tmp_path / "elsewhere").write_text(text)
        node.answer.symlink_to(tmp_path / "elsewhere")
    elif kind == "fifo":
        os.mkfifo(node.answer)
    elif kind == "directory":
        node.answer.mkdir()
    elif kind == "anothers":
        node.answer.write_text(text)
        os.chown(node.answer, NOBODY, NOBODY)
    else:
        node.answer.write_text(text)
        moved = node.state.rename(tmp_path / "moved")
        if kind == "linked-directory":
            node.state.symlink_to(moved)
        else:
            moved.rename(node.state)
            os.chown(node.state, NOBODY, NOBODY)
    assert node.says(shell).looked
    if kind not in ("others-directory", "anothers"):
        assert answer.find(Asked("web", CONFIG, "||||||"), [str(node.state)]) is None or kind == "linked-directory"


def test_no_mutation_of_a_file_is_said_that_is_no_answer(node: Node) -> None:
    """Whatever is made of a bit of it, the shell says nothing that Python would not say of the same file."""
    dice = random.Random(11)
    text = published(line="PASS - x").to_text().encode()
    for _ in range(300):
        mutated = bytearray(text)
        for _ in range(dice.choice((1, 1, 2, 5))):
            at = dice.randrange(len(mutated))
            mutated[at : at + dice.choice((0, 1, 1, 9))] = dice.choice(
                (b"", b" ", b"\n", b"0", b"9", b"\t", b"x", b"-")
            )
        node.answer.write_bytes(mutated)
        said = node.says(["dash"])
        found = answer.find(Asked("web", CONFIG, "||||||"), [str(node.state)])
        assert said.looked or found is not None, bytes(mutated)
        if found is not None and not said.looked:
            assert said == (0 if found.good else 1, f"{found.line}\n", "")


# How it is said.


@pytest.mark.parametrize("options", ["", "errexit:nounset"])
@pytest.mark.parametrize("out", [">&-", ">/dev/full", "| true", ">/dev/null", "<&- >&- 2>&-"])
def test_a_closed_or_full_standard_output_changes_no_exit_status(
    node: Node, shell: list[str], out: str, options: str
) -> None:
    answer.write(str(node.state), published())
    asked = shlex.join(["env", f"SHELLOPTS={options}", *shell, str(node.executable), "run", "web"])
    script = f"{{ {asked}; echo $? >'{node.state}/code'; }} {out}"
    environ = {"PATH": f"{node.bin}:/usr/bin:/bin", "HACHECK_CONFIG": CONFIG, "HACHECK_STATE_DIR": str(node.state)}
    subprocess.run(["bash", "-c", script], env=environ, timeout=60, check=False, stderr=subprocess.DEVNULL)
    assert (node.state / "code").read_text() == "0\n"


# What Python makes of it.


def test_what_is_written_is_read() -> None:
    one = published()
    two = Answer.parse(one.to_text())
    assert [getattr(two, name) for name in Answer.__slots__] == [getattr(one, name) for name in Answer.__slots__]
    assert one.to_text()[one.place_of_until :].startswith(f"{one.until} ")


def test_a_path_that_is_no_unicode_is_written_and_never_found(tmp_path: Path) -> None:
    odd = os.fsdecode(b"/etc/\xff.toml")
    answer.write(str(tmp_path), published(config=odd))
    assert answer.find(Asked("web", odd, "||||||"), [str(tmp_path)]) is None


def test_roots_answer_counts_for_another_user(tmp_path: Path) -> None:
    directory = tmp_path / "hacheck-0"
    directory.mkdir(0o755)
    answer.write(str(directory), published())
    found = answer.find(Asked("web", CONFIG, "||||||"), [str(tmp_path)])
    assert found is not None
    directory.chmod(0o777)
    assert answer.find(Asked("web", CONFIG, "||||||"), [str(tmp_path)]) is None
    directory.chmod(0o755)
    os.chown(directory, NOBODY, NOBODY)
    assert answer.find(Asked("web", CONFIG, "||||||"), [str(tmp_path)]) is None
