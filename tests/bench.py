"""The costs of checks beside those of the peers' checks, and the executable's size: `make bench` prints them.

It fails nothing. Instructions are counted by callgrind, which the load of the machine does not touch; CPU is user and
system time, the least of several runs. Both are given as multiples of the bare interpreter, too:
`python3 -I -S -c pass`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from hachecks import state
from hachecks.checks import answer
from hachecks.checks.answer import Answer, Asked
from hachecks.executable.build import LIMIT, RESERVE
from hachecks.node import CONFIG_FILE
from tests import nginx, postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

EXECUTABLE = Path(__file__).parents[1] / "dist" / "hacheck"
PLUGINS = Path("/usr/lib/nagios/plugins")
RUNS = 25
PATIENCE = 120
STORM = 255
TOTAL = re.compile(r"^totals: (\d+)", re.MULTILINE)


class Check(NamedTuple):
    """A command to measure, and at most how many bare interpreters it may cost."""

    title: str
    argv: list[str]
    target: float | None = None


class Cost(NamedTuple):
    """What a command took."""

    instructions: int
    seconds: float


def interpreter() -> str:
    """The system's Python, or this one: what PATH calls python3 may be a script, as pyenv's is."""
    system = "/usr/bin/python3"
    return os.path.realpath(system if os.path.exists(system) else sys.executable)


def ours(words: str, target: float | None = None, title: str = "") -> Check:
    """A check by the executable."""
    return Check(
        f"hacheck {title or words.partition(' ')[0]}", ["/bin/sh", str(EXECUTABLE), *shlex.split(words)], target
    )


def plugin(name: str, words: str) -> Check:
    """A check by one of the monitoring plugins."""
    return Check(name, [str(PLUGINS / name), *shlex.split(words)])


def checks(python: str, web: nginx.Nginx, database: postgresql.PostgreSQL) -> Iterator[Check]:
    """The bare interpreter, then everything that is compared, grouped by what it asks."""
    port, url = web.ports["plain"], web.url("plain", "/")
    socket = f"127.0.0.1:{port}"
    yield Check("python3 -I -S -c pass", [python, "-I", "-S", "-c", "pass"])
    yield ours("file /etc/passwd")
    yield ours(f"tcp {socket}", 1.5)
    yield plugin("check_tcp", f"-H 127.0.0.1 -p {port}")
    yield Check("bash </dev/tcp/…", ["bash", "-c", f"</dev/tcp/127.0.0.1/{port}"])
    yield ours(f"http {url}", 8)
    yield ours(f"http {web.url('tls', '/')} --ca-file {web.ca_file}", title="http (TLS)")
    yield plugin("check_http", f"-H 127.0.0.1 -p {port}")
    yield Check("curl", ["curl", "-sf", "-o", "/dev/null", url])
    yield ours(f"sql {database.url()} --role primary", 6, "sql (PostgreSQL role)")
    yield ours(f"sql {database.url()} --ready-only", title="sql --ready-only")
    yield Check(
        "pg_isready", [str(postgresql.PROGRAMS / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", f"{database.port}"]
    )
    yield plugin("check_pgsql", f"-H 127.0.0.1 -P {database.port} -l trusted -d postgres")


def cost(argv: list[str], environ: dict[str, str]) -> Cost:
    """What a command takes; raises `RuntimeError` if it does not pass."""
    return Cost(instructions(argv, environ), min(seconds(argv, environ) for _ in range(RUNS)))


def seconds(argv: list[str], environ: dict[str, str]) -> float:
    """The user and system time of one run."""
    process = subprocess.Popen(argv, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"exit status {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def instructions(argv: list[str], environ: dict[str, str]) -> int:
    """The instructions of one run, of every process in it."""
    with tempfile.TemporaryDirectory() as directory:
        valgrind = ["valgrind", "--tool=callgrind", "--trace-children=yes", f"--callgrind-out-file={directory}/%p"]
        subprocess.run([*valgrind, *argv], env=environ, capture_output=True, timeout=PATIENCE, check=False)
        found = [TOTAL.search(path.read_text()) for path in Path(directory).iterdir()]
    return sum(int(total[1]) for total in found if total)


def rows(python: str, commands: Iterator[Check]) -> Iterator[tuple[str, ...]]:
    """The lines of the table."""
    bare: Cost | None = None
    with tempfile.TemporaryDirectory() as directory:
        os.symlink(python, os.path.join(directory, "python3"))
        environ = {"PATH": f"{directory}:{os.environ['PATH']}", "HACHECK_TIMEOUT": f"{PATIENCE}s"}
        for title, argv, target in commands:
            if shutil.which(argv[0]) is None:
                yield (title, "is not here", "", "", "", "")
                continue
            try:
                took = cost(argv, environ)
            except RuntimeError as error:
                yield (title, str(error), "", "", "", "")
                continue
            bare = bare or took
            many = took.instructions / bare.instructions
            judged = "" if target is None else f"≤ {target} × {'reached' if many <= target else 'MISSED'}"
            yield (
                title,
                f"{took.instructions / 1e6:.1f} M",
                f"{many:.2f} ×",
                f"{took.seconds * 1000:.1f} ms",
                f"{took.seconds / bare.seconds:.2f} ×",
                judged,
            )


def answers(web: nginx.Nginx, directory: str) -> Iterator[tuple[str, Cost]]:
    """What a check costs whose verdict the agent has published, and what it costs others to ask the same."""
    environ = {"PATH": os.environ["PATH"], "HACHECK_STATE_DIR": directory}
    now, port = answer.now(), web.ports["plain"]
    asked = Asked("web", CONFIG_FILE, answer.given(environ))
    line = f"PASS - 127.0.0.1:{port} accepted the connection in 0.1 ms"
    answer.write(directory, Answer(asked, answer.IN_MEMORY, now, now + 360000, True, line))
    yield "hacheck run NAME", cost(["/bin/sh", str(EXECUTABLE), "run", "web"], environ)
    yield "check_tcp", cost([str(PLUGINS / "check_tcp"), "-H", "127.0.0.1", "-p", str(port)], environ)
    yield "bash </dev/tcp/…", cost(["bash", "-c", f"</dev/tcp/127.0.0.1/{port}"], environ)
    yield "sh -c :", cost(["/bin/sh", "-c", ":"], environ)


def show_answers(web: nginx.Nginx) -> None:
    """Print the table of a fresh verdict of the agent's, as parts of what check_tcp and bash take."""
    with tempfile.TemporaryDirectory(dir=state.SHARED) as directory:
        took = dict(answers(web, directory))
    print(f"\n{'a fresh verdict of the agent':30} {'instructions':>12} {'CPU':>18}")
    for title, one in took.items():
        print(f"{title:30} {one.instructions / 1e6:>10.1f} M {one.seconds * 1000:>15.2f} ms")
    ours, *others = (took[title] for title in ("hacheck run NAME", "check_tcp", "bash </dev/tcp/…"))
    for (name, most), other in zip((("check_tcp", 0.5), ("bash", 1.0)), others):
        for what, many in (
            ("instructions", ours.instructions / other.instructions),
            ("CPU", ours.seconds / other.seconds),
        ):
            judged = "reached" if many <= most else "MISSED"
            print(f"{what} {many:.2f} × {name}'s: ≤ {most} × {judged}", flush=True)


def hooks(python: str) -> Iterator[tuple[str, str]]:
    """What people call as a notify script: ours, and two that do as little in Python."""
    record = "open(sys.argv[1] + '/lean', 'a').write(' '.join(sys.argv[2:]) + chr(10))"
    yield "hacheck notify", f"/bin/sh {EXECUTABLE} notify"
    yield "a lean Python hook", f'{python} -I -S -c "import sys; {record}" "$HACHECK_STATE_DIR"'
    yield "a hook with click", f'{sys.executable} -c "import sys, click, json; {record}" "$HACHECK_STATE_DIR"'


def storm(hook: str) -> tuple[float, float]:
    """Seconds, and seconds of CPU for each, when so many are called at once as Keepalived has instances."""
    with tempfile.TemporaryDirectory() as directory:
        start = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
        Path(directory, "delivering").write_text(f"{os.getpid()} {start}\n")  # as if an agent delivered
        call = f"{hook} INSTANCE VI_$number MASTER 100 &"
        script = f"number=0; while [ $number -lt {STORM} ]; do number=$((number + 1)); {call} done; wait"
        environ = {"PATH": os.environ["PATH"], "HACHECK_STATE_DIR": directory}
        began = time.monotonic()
        process = subprocess.Popen(["/bin/sh", "-c", script], env=environ)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return time.monotonic() - began, (usage.ru_utime + usage.ru_stime) / STORM


def main() -> None:
    """Print the tables."""
    for command in ("valgrind", "nginx"):
        if shutil.which(command) is None:
            sys.exit(f"{command} is not here; sh tests/system-packages.sh bench")
    python = interpreter()
    print(f"{EXECUTABLE} on {python}, {subprocess.check_output([python, '-V'], text=True).strip()}")
    size = EXECUTABLE.stat().st_size
    judged = "reached" if LIMIT - size >= RESERVE else "MISSED"
    print(f"{size} bytes, room {LIMIT - size} in a ConfigMap of {LIMIT}: ≥ {RESERVE} {judged}\n")
    print(f"{'':30} {'instructions':>12} {'':>8} {'CPU':>9} {'':>8}  target")
    with contextlib.ExitStack() as stack:
        web = stack.enter_context(nginx.running(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        database = stack.enter_context(postgresql.primary(stack.enter_context(postgresql.workplace()) / "primary"))
        for title, *cells, target in rows(python, checks(python, web, database)):
            print(f"{title:30} {cells[0]:>12} {cells[1]:>8} {cells[2]:>9} {cells[3]:>8}  {target}", flush=True)
        show_answers(web)
    print(f"\n{f'{STORM} notifies at once':30} {'wall':>12} {'CPU each':>18}")
    for title, hook in hooks(python):
        wall, each = min(storm(hook) for _ in range(3))
        print(f"{title:30} {wall:>10.2f} s {each * 1000:>15.1f} ms", flush=True)


if __name__ == "__main__":
    main()
