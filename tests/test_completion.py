"""What bash, zsh and fish offer at a TAB, asked of the shells themselves."""

from __future__ import annotations

import os
import pty
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli import ROOT, hacheck
from tests.test_executable import fresh

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE = 60.0
DECLARED = """
[check.web]
probe = "http"
url = "http://127.0.0.1:9/"

[check.wide]
all = ["web"]

[check.vip]
all = ["web", "wide"]
"""
ASK = """
source <(%s completion bash)
complete -p hacheck
COMP_WORDS=(%s)
COMP_CWORD=%d
_hacheck_completion
printf '%%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A home with nothing in it, and a hacheck.toml."""
    home = tmp_path_factory.mktemp("home")
    (home / "hacheck.toml").write_text(DECLARED)
    python = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TERM": "xterm", "HOME": str(home)}
    return {**python, "HACHECK_CONFIG": str(home / "hacheck.toml"), "HACHECK_STATE_DIR": str(home / "state")}


PACKAGE = f"{shlex.quote(sys.executable)} -m hachecks"


def offered(words: Sequence[str], environ: dict[str, str], hacheck: str = PACKAGE) -> list[str]:
    """What bash has to offer for the last of these words."""
    script = ASK % (hacheck, " ".join(map(shlex.quote, words)), len(words) - 1)
    argv = ["bash", "--norc", "-c", script]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    registered, *found = done.stdout.splitlines()
    assert registered == "complete -F _hacheck_completion hacheck"
    return [word for word in found if word]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["ht"], ["http"], id="a-probe"),
        pytest.param(["no"], ["nodeport", "notifications", "notify"], id="probes-and-commands"),
        pytest.param(["deli"], [], id="nothing-that-the-help-hides"),
        pytest.param(["--v"], ["--version"], id="an-option-of-hacheck"),
        pytest.param(["tcp", "127.0.0.1:9", "--expect-"], ["--expect-hex", "--expect-regex"], id="a-flag"),
        pytest.param(["tcp", "127.0.0.1:9", "--starttls", "s"], ["sieve", "smtp"], id="a-choice"),
        pytest.param(["tcp", "127.0.0.1:9", "--starttls", "=", "s"], ["sieve", "smtp"], id="a-choice-after-equals"),
        pytest.param(["http", "--on-unknown", ""], ["fail", "pass"], id="a-choice-of-every-probe"),
        pytest.param(["run", ""], ["web", "wide", "vip"], id="the-checks"),
        pytest.param(["run", "w"], ["web", "wide"], id="some-checks"),
        pytest.param(["run", "--config", "/nonexistent", ""], [], id="no-checks-of-a-file-that-is-not-there"),
        pytest.param(["notify", "s"], ["slack", "syslog"], id="notifiers"),
        pytest.param(["notify", "I"], ["INSTANCE"], id="what-Keepalived-says"),
        pytest.param(["notify", "INSTANCE", ""], [], id="no-notifier-twice"),
        pytest.param(["notify", "--test", "slack", "--thread", "e"], ["edit"], id="a-choice-of-a-notifier"),
        pytest.param(["notifications", "un"], ["unsilence"], id="a-verb"),
        pytest.param(["exporter", "--comp"], ["--compat"], id="the-exporter"),
        pytest.param(["completion", ""], ["bash", "fish", "zsh"], id="the-shells"),
        pytest.param(["nonsense", ""], [], id="nothing-after-nonsense"),
        pytest.param(["http", "--nonsense", "x", "--method", "--statu"], ["--status"], id="after-an-error"),
        pytest.param(["sql", "--password", "secret", "--pass"], ["--password-file"], id="never-a-secret"),
    ],
)
def test_bash_offers_what_may_come_next(environ: dict[str, str], words: list[str], expected: list[str]) -> None:
    assert offered(["hacheck", *words], environ) == expected


@pytest.mark.parametrize("words", [["tcp", "127.0.0.1:{}"], ["tcp", "127.0.0.1:{}", "--timeout"], ["run", "port"]])
def test_completing_runs_no_check(environ: dict[str, str], tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "state").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        configuration = tmp_path / "hacheck.toml"
        configuration.write_text(f'[check.port]\nprobe = "tcp"\ntarget = "127.0.0.1:{port}"\n')
        there: dict[str, Any] = {"HACHECK_CONFIG": str(configuration), "HACHECK_STATE_DIR": str(tmp_path / "state")}
        words = [word.format(port) for word in words]
        offered(["hacheck", *words, ""], {**environ, **there})
        with pytest.raises(BlockingIOError):
            server.accept()
        assert list((tmp_path / "state").iterdir()) == []
        assert hacheck(*words[:2], **there).code == 0
        server.accept()[0].close()  # so a check would have been seen


def test_a_check_does_not_care_whether_a_shell_asks() -> None:
    asking: dict[str, Any] = {"_HACHECK_COMPLETE": "1", "COMP_WORDS": "hacheck run", "COMP_CWORD": "1"}
    assert hacheck("file", "/etc/passwd", **asking).line.startswith("PASS - /etc/passwd exists")


STARTED = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], ""),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; "),
}


def typed(shell: str, keys: str, environ: dict[str, str], hacheck: str = PACKAGE) -> str:
    """The command line that a person has, who types these keys at an interactive shell."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: apt-get install {shell}")
    argv, prepare = STARTED[shell]
    ours, theirs = pty.openpty()
    terminal = os.fdopen(ours, "r+b", buffering=0)
    environ = {**environ, "PS1": "$ "}
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, start_new_session=True) as one:
        os.close(theirs)
        try:
            terminal.write(f"{prepare}source <({hacheck} completion {shell}); echo rea''dy\n".encode())
            until(terminal, b"ready")
            # The line is shown instead of run: Ctrl-A goes to its beginning.
            terminal.write(f"{keys}\x01echo 'the li''ne is' \n".encode())
            return until(terminal, b"the line is ").decode().strip()
        finally:
            one.kill()
            terminal.close()


def until(terminal: object, text: bytes) -> bytes:
    """Read until the text has come, and to the end of its line; returns what follows it there."""
    heard = b""
    while text not in heard or b"\n" not in heard.partition(text)[2]:
        heard += terminal.read(4096)  # type: ignore[attr-defined]
    return heard.partition(text)[2].partition(b"\n")[0]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("keys", "line"),
    [
        pytest.param("hacheck nodep\t", "hacheck nodeport", id="a-command"),
        pytest.param("hacheck run v\t", "hacheck run vip", id="a-check"),
        pytest.param("hacheck tcp 10.0.0.5:80 --startt\tsm\t", "hacheck tcp 10.0.0.5:80 --starttls smtp", id="a-value"),
        pytest.param("hacheck notify sl\t", "hacheck notify slack", id="a-notifier"),
    ],
)
def test_a_tab_completes(environ: dict[str, str], shell: str, keys: str, line: str) -> None:
    assert typed(shell, keys, environ) == line


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(("option", "name"), [("--ca-file", "hacheck.toml"), ("--state-dir", "state-of-it")])
def test_the_shell_looks_for_files_itself(environ: dict[str, str], shell: str, option: str, name: str) -> None:
    home = environ["HOME"]
    (Path(home) / "state-of-it").mkdir(exist_ok=True)
    (Path(home) / "state-of-a-file").touch()
    beginning = "ha" if option == "--ca-file" else "state-of-"  # as a file does that is no directory
    keys = f"hacheck http x {option} {home}/{beginning}\t"
    assert typed(shell, keys, environ).rstrip("/") == f"hacheck http x {option} {home}/{name}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("hacheck nodep", ["nodeport"], id="a-command"),
        pytest.param("hacheck run w", ["web", "wide"], id="the-checks"),
        pytest.param("hacheck tcp a:1 --starttls sm", ["smtp"], id="a-choice"),
        pytest.param("hacheck notify sl", ["slack"], id="a-notifier"),
        pytest.param("hacheck http x --ca-file $HOME/hach", ["$HOME/hacheck.toml"], id="a-file"),
    ],
)
def test_fish_offers_what_may_come_next(environ: dict[str, str], line: str, expected: list[str]) -> None:
    assert offered_by_fish(line, environ, PACKAGE) == [word.replace("$HOME", environ["HOME"]) for word in expected]


def offered_by_fish(line: str, environ: dict[str, str], hacheck: str) -> list[str]:
    """What fish completes this line with, without the meanings."""
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed: apt-get install fish")
    line = line.replace("$HOME", environ["HOME"])
    script = f"{hacheck} completion fish | source; complete --do-complete {shlex.quote(line)}"
    argv = ["fish", "--no-config", "-c", script]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def executable(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A copy, at a path that has to be quoted."""
    copy = tmp_path_factory.mktemp("etc") / "a $place"
    shutil.copy(fresh(tmp_path_factory), copy)
    return f"sh {shlex.quote(str(copy))}"


@pytest.fixture
def alone(environ: dict[str, str]) -> dict[str, str]:
    """An environment without the package."""
    return {**{name: value for name, value in environ.items() if name != "PYTHONPATH"}, "PATH": "/usr/bin:/bin"}


@pytest.mark.executable
def test_bash_offers_the_same_of_the_executable(alone: dict[str, str], executable: str) -> None:
    assert offered(["hacheck", "run", "w"], alone, executable) == ["web", "wide"]
    assert offered(["hacheck", "notify", "slack", "--thread", "e"], alone, executable) == ["edit"]


@pytest.mark.executable
def test_of_what_the_executable_cannot_serve_nothing_is_said(alone: dict[str, str], executable: str) -> None:
    assert offered(["hacheck", "exporter", "--"], alone, executable) == []


@pytest.mark.executable
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_tab_completes_the_command_that_the_script_makes(alone: dict[str, str], executable: str, shell: str) -> None:
    assert typed(shell, "hacheck run v\t", alone, executable) == "hacheck run vip"


@pytest.mark.executable
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_makes_the_command_which_is_in_no_path(alone: dict[str, str], executable: str, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: apt-get install {shell}")
    taken = (
        f"{executable} completion fish | source" if shell == "fish" else f"source <({executable} completion {shell})"
    )
    prepare = "autoload -U compinit; compinit -u -D; " if shell == "zsh" else ""
    done = subprocess.run(
        [shell, "-c", f"{prepare}{taken}; hacheck file /etc/passwd"],
        env=alone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("PASS - /etc/passwd exists")


@pytest.mark.executable
def test_a_command_that_is_there_is_left_alone(alone: dict[str, str], executable: str) -> None:
    script = f"hacheck() {{ echo mine; }}; source <({executable} completion bash); hacheck"
    done = subprocess.run(["bash", "-c", script], env=alone, capture_output=True, text=True, check=False)
    assert done.stdout == "mine\n"
