"""The one file: in every shell, on every Python, however it is mounted."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from hachecks import registry, versions
from hachecks.executable.build import LIMIT, RESERVE, without_compiled
from hachecks.executable.modules import carried
from hachecks.executable.wheels import Wheels
from tests import mariadb, nginx, postgresql
from tests.servers import Http, Listening, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.executable

ROOT = Path(__file__).parent.parent
WHEELS = ROOT / "build" / "wheels"
SHELLS = [["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"]]
ELSEWHERE = b"path=${PATH-}:/usr/local/bin:/usr/bin:/bin:/usr/libexec\n"
"""Where the prelude looks when PATH has no Python."""


NOT_CARRIED = {"agent", "executable", "exporter", "ipfailover"}
"""Rooms that need compiled wheels, or make no sense inside one file."""


class Ran(NamedTuple):
    """How a run of the executable ended."""

    code: int
    out: str
    err: str = ""


def run(*words: object, cwd: Path | None = None, **environ: str) -> Ran:
    """Run a command in nothing but this environment."""
    argv = list(map(str, words))
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=False, cwd=cwd)
    return Ran(done.returncode, done.stdout, done.stderr)


def interpreters(pattern: str) -> list[str]:
    """The interpreters of this machine whose version matches, the system's and pyenv's."""
    found = [
        *glob.glob(f"/usr/bin/python{pattern}"),
        *glob.glob(os.path.expanduser(f"~/.pyenv/versions/{pattern}.*/bin/python{pattern}")),
    ]
    return sorted(found)


NEW = sorted(set(interpreters("3.9") + interpreters("3.1[0-9]")))
OLD = sorted(set(interpreters("3.[678]") + interpreters("2.7")))


def build(output: Path, root: Path = ROOT, **environ: str) -> bytes:
    """Build it from a checkout, and return its bytes."""
    argv = [sys.executable, "-m", "hachecks.executable.build", f"--output={output}", f"--wheels={WHEELS}"]
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": str(root), **environ}
    done = subprocess.run(argv, env=environ, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return output.read_bytes()


def fresh(factory: pytest.TempPathFactory) -> Path:
    """dist/hacheck if nothing has changed since it was built, or else one of our own."""
    built = ROOT / "dist" / "hacheck"
    sources = [path for path in (ROOT / "hachecks").rglob("*") if path.suffix in (".py", ".sh", ".txt")]
    if built.exists() and built.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return built
    path = factory.mktemp("dist") / "hacheck"
    build(path)
    return path


@pytest.fixture(scope="session")
def executable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one file."""
    return fresh(tmp_path_factory)


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that carries nothing compiled, as an unknown version of Python meets it."""
    path = tmp_path_factory.mktemp("bare") / "hacheck"
    path.write_bytes(without_compiled(Wheels(WHEELS)).file())
    return path


def alone(directory: Path, interpreter: str) -> str:
    """A directory for PATH in which this interpreter is `python3`, and nothing else is."""
    directory.mkdir(exist_ok=True)
    (directory / "python3").symlink_to(interpreter)
    return str(directory)


class NameServer:
    """Answers every question for an A record with 10.0.0.5."""

    def __enter__(self) -> NameServer:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.sendto(b"", ("127.0.0.1", self.port))
        self.thread.join(5)
        self.socket.close()

    def _serve(self) -> None:
        while True:
            asked, client = self.socket.recvfrom(512)
            if not asked:
                return
            question = asked[12 : asked.index(b"\0", 12) + 5]
            answer = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x05"
            head = asked[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
            self.socket.sendto(head + question + answer, client)


# What it is.


def test_fits_into_a_configmap_with_room_for_the_configuration(executable: Path) -> None:
    assert executable.stat().st_size <= LIMIT - RESERVE


@pytest.mark.xdist_group("two builds")
def test_is_the_same_bytes_from_another_checkout_at_another_time(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "another checkout"
    shutil.copytree(ROOT / "hachecks", one / "hachecks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "LICENSE", one)
    shutil.copytree(one, other, copy_function=shutil.copy)
    again = build(tmp_path / "again", other, PYTHONHASHSEED="5", LANG="C", TZ="Asia/Tokyo", PYTHONDONTWRITEBYTECODE="1")
    assert again == build(tmp_path / "hacheck", one)


def test_is_a_zip_with_the_licence_of_everything_it_carries(executable: Path) -> None:
    with zipfile.ZipFile(executable) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    packages = {name.split("/")[1].split(".")[0].lower() for name in names if name.startswith("sources/")}
    packages &= pinned().keys()
    assert {"click", "h11", "h2", "hpack", "httpcore", "hyperframe", "pg8000", "scramp", "tomli"} <= packages
    for package in packages:
        assert any(name.startswith(f"licences/{package}/") for name in names), package
    assert "LICENSE" in names


def sources(executable: Path) -> dict[str, str]:
    """Path -> text of each module that it carries."""
    found: dict[str, str] = {}
    with zipfile.ZipFile(executable) as archive:
        for entry in archive.namelist():
            if entry.startswith("sources/"):
                parts = re.split(r"^# (\S+\.py)\n", archive.read(entry).decode(), flags=re.MULTILINE)
                found.update(zip(parts[1::2], parts[2::2]))
    return found


def test_carries_the_rooms_that_the_command_line_reaches_and_no_other(executable: Path) -> None:
    ours = {Path(path).parts[1] for path in sources(executable) if path.startswith("hachecks/")}
    flat = {name for name in ours if name.endswith(".py")}
    assert ours - flat == {
        *("checks", "delivery", "drain", "group", "http", "keepalived", "messages", "net", "notifiers", "probes"),
        *("services", "sql", "transitions", "wire"),
    }
    everywhere = {path.name for path in (ROOT / "hachecks").glob("*.py")}
    assert flat == everywhere - {"__main__.py", "pod_report.py"}  # which the agent and ipfailover have between them


def test_carries_every_probe_and_notifier_of_the_registry(executable: Path) -> None:
    paths = sources(executable)
    for entry in [*registry.PROBES.values(), *registry.NOTIFIERS.values()]:
        assert entry.target.partition(":")[0].replace(".", "/") + ".py" in paths


def test_carries_no_module_that_it_does_not_reach(executable: Path) -> None:
    modules = carried(Wheels(WHEELS).sources(), Wheels(WHEELS).versions)
    assert sources(executable).keys() == {module.path for module in modules}
    assert not {module.name.split(".")[1] for module in modules if module.name.startswith("hachecks.")} & NOT_CARRIED


def test_tells_the_version_of_each_package_it_carries(executable: Path) -> None:
    told = run("sh", executable, "version", "-v").out.lower().splitlines()
    for package, version in pinned().items():
        assert f"{package} {version}" in told


def test_version_knows_every_pinned_package() -> None:
    assert {name.lower() for name in versions.CARRIED} == pinned().keys()


def pinned() -> dict[str, str]:
    """Name, in lower case -> version."""
    return {name.lower(): version for name, version in Wheels(WHEELS).versions.items()}


def test_prelude_is_clean_for_shellcheck(executable: Path, tmp_path: Path) -> None:
    prelude = tmp_path / "prelude.sh"
    prelude.write_bytes(executable.read_bytes().partition(b"\nPK\x03\x04")[0])
    assert run(shutil.which("shellcheck") or "shellcheck", "-s", "sh", prelude) == (0, "", "")


def test_kubectl_takes_it_as_binary_data(executable: Path) -> None:
    kubectl = shutil.which("kubectl") or "kubectl"
    words = ["create", "configmap", "hacheck", f"--from-file={executable}", "--dry-run=client", "-o", "json"]
    made = run(kubectl, *words, HOME="/nonexistent")
    assert list(json.loads(made.out)["binaryData"]) == ["hacheck"], made.err


# Every Python.


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Command lines that must PASS against nginx, PostgreSQL and MariaDB: they need every package that is carried."""
    directory = tmp_path_factory.mktemp("elsewhere")
    password = directory / "password"
    password.write_text(postgresql.PASSWORD)
    with contextlib.ExitStack() as stack:
        web = stack.enter_context(nginx.running(directory))
        place = stack.enter_context(postgresql.workplace())
        one = stack.enter_context(postgresql.primary(place / "postgresql"))
        other = stack.enter_context(mariadb.primary(place / "mariadb"))
        yield {
            "https": f"http {web.url('tls', '/')} --ca-file {web.ca_file}",
            "http2": f"http {web.url('h2c', '/')} --http2",
            "postgresql": f"sql {one.url('scram')} --role primary --password-file {password}",
            "mysql": f"sql {other.url('curve')} --password-file {password}",
        }


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory, elsewhere: dict[str, str]) -> Iterator[dict[str, str]]:
    """Command lines that must PASS, by command."""
    directory = tmp_path_factory.mktemp("targets")
    with Http({"/": Route(body=b'{"ok": true}')}) as web, Listening() as port, NameServer() as names:
        configuration = directory / "hacheck.toml"
        configuration.write_text(
            f'[check.web]\nprobe = "http"\nurl = "{web.url}"\n\n[check.both]\nall = ["web", "port"]\n\n'
            f'[check.port]\nprobe = "tcp"\ntarget = "127.0.0.1:{port.port}"\n'
        )
        database = directory / "a.db"
        database.touch()
        yield {
            **elsewhere,
            "file": "file /etc/passwd",
            "tcp": f"tcp 127.0.0.1:{port.port}",
            "http": f"http {web.url} --json .ok",
            "dns": f"dns example.org --server 127.0.0.1:{names.port} --expect 10.0.0.5",
            "sql": f"sql sqlite:{database}",
            "run": f"run both --config {configuration}",
            "checks": f"checks --config {configuration}",
            "help": "--help",
            "version": "version -v",
        }


COMMANDS = [
    *("file", "tcp", "http", "https", "http2", "dns", "sql", "postgresql", "mysql", "run", "checks", "help", "version"),
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("interpreter", NEW)
def test_runs_on_every_python(
    executable: Path, targets: dict[str, str], tmp_path: Path, interpreter: str, command: str
) -> None:
    path = alone(tmp_path / "bin", interpreter)
    ran = run("/bin/sh", executable, *targets[command].split(), PATH=path, HACHECK_TIMEOUT="10s")
    assert (ran.code, ran.err) == (0, ""), ran


@pytest.mark.parametrize("interpreter", NEW)
def test_runs_on_a_python_that_nothing_was_compiled_for(bare: Path, tmp_path: Path, interpreter: str) -> None:
    assert run("/bin/sh", bare, "file", "/etc/passwd", PATH=alone(tmp_path / "bin", interpreter)).code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_runs_without_compiled_modules(bare: Path, targets: dict[str, str], command: str) -> None:
    ran = run("/bin/sh", bare, *targets[command].split(), HACHECK_TIMEOUT="10s")
    assert (ran.code, ran.err) == (0, ""), ran


@pytest.mark.parametrize("interpreter", OLD)
def test_passes_over_a_python_that_is_too_old(executable: Path, tmp_path: Path, interpreter: str) -> None:
    ran = run("/bin/sh", executable, "file", "/etc/passwd", PATH=alone(tmp_path / "bin", interpreter))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("PASS - /etc/passwd exists")


@pytest.mark.parametrize("interpreter", ["", *OLD])
def test_says_so_when_there_is_no_python_for_it(executable: Path, tmp_path: Path, interpreter: str) -> None:
    assert ELSEWHERE in executable.read_bytes()
    nowhere = b"path=${PATH-}:".ljust(len(ELSEWHERE) - 1, b"/") + b"\n"
    copy = tmp_path / "hacheck"
    copy.write_bytes(executable.read_bytes().replace(ELSEWHERE, nowhere))
    path = alone(tmp_path / "bin", interpreter) if interpreter else "/nonexistent"
    code, out, err = run("/bin/sh", copy, "file", "/etc/passwd", PATH=path)
    assert (code, err) == (1, "")
    assert out == (
        "UNKNOWN - hacheck needs Python 3.9 or newer; this image has none "
        "(looked for python3, python3.9 and newer, and platform-python)\n"
    )


# Every shell, and every way to be mounted and started.


def passes(ran: Ran) -> bool:
    """Whether the check of /etc/passwd passed."""
    return (ran.code, ran.err) == (0, "") and ran.out.startswith("PASS - /etc/passwd exists")


def test_what_a_shell_reads_before_it_runs_is_little(executable: Path) -> None:
    """Of `run NAME`, and of `notify`, which stands in the failover path: 120 instructions of dash for each byte."""
    text = executable.read_bytes()
    assert text.index(b'answer "$2"') < 2200
    assert text.index(b'notify "$@"') < 5400


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_runs_in_every_shell(executable: Path, shell: list[str]) -> None:
    words = [shutil.which(shell[0]) or shell[0], *shell[1:]]
    assert passes(run(*words, executable, "file", "/etc/passwd"))


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_hands_on_every_argument_as_it_is(executable: Path, tmp_path: Path, shell: list[str]) -> None:
    words = [shutil.which(shell[0]) or shell[0], *shell[1:]]
    for name in ("a b", "*", "$HOME", 'say "x"', "don't", "ü", "a:b", "\\n", " "):
        (tmp_path / name).touch()
        ran = run(*words, executable, "file", tmp_path / name)
        assert ran.code == 0, ran
        assert " ".join(name.split()) in ran.out
    assert run(*words, executable, "file", "").code == 2


@pytest.fixture
def placed(executable: Path, tmp_path: Path) -> Callable[..., Path]:
    """Puts a copy of the executable somewhere."""

    def place(name: str = "hacheck", mode: int = 0o644) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(executable, path)
        path.chmod(mode)
        return path

    return place


def test_runs_by_itself_where_it_may_be_executed(placed: Callable[..., Path]) -> None:
    assert passes(run(placed(mode=0o755), "file", "/etc/passwd"))


def test_needs_no_executable_bit(placed: Callable[..., Path]) -> None:
    assert passes(run("/bin/sh", placed(mode=0o444), "file", "/etc/passwd"))


def test_runs_from_a_path_with_spaces(placed: Callable[..., Path]) -> None:
    assert passes(run("/bin/sh", placed("a directory/ha check"), "file", "/etc/passwd"))


def test_runs_from_a_relative_path(placed: Callable[..., Path]) -> None:
    path = placed()
    assert passes(run("/bin/sh", "./hacheck", "file", "/etc/passwd", cwd=path.parent))
    assert passes(run("/bin/sh", "hacheck", "file", "/etc/passwd", cwd=path.parent))


class ConfigMap:
    """A volume as kubelet makes it: `hacheck -> ..data/hacheck`, `..data -> ..2026_…`, replaced by one rename."""

    def __init__(self, directory: Path, executable: bytes) -> None:
        self.directory = directory
        self.versions = 0
        self.path = directory / "hacheck"
        directory.mkdir()
        self.replace(executable)
        self.path.symlink_to("..data/hacheck")

    def replace(self, executable: bytes) -> None:
        """Mount another version, and delete the one before."""
        before = self.directory / f"..2026_{self.versions}"
        self.versions += 1
        now = self.directory / f"..2026_{self.versions}"
        now.mkdir()
        (now / "hacheck").write_bytes(executable)
        (self.directory / "..data_tmp").symlink_to(now.name)
        (self.directory / "..data_tmp").rename(self.directory / "..data")
        shutil.rmtree(before, ignore_errors=True)


def test_runs_through_the_links_of_a_configmap(executable: Path, tmp_path: Path) -> None:
    mounted = ConfigMap(tmp_path / "keepalive", executable.read_bytes())
    assert passes(run("/bin/sh", mounted.path, "file", "/etc/passwd"))


@pytest.mark.parametrize("compiled", [True, False])
def test_ends_as_it_began_when_the_configmap_is_replaced_meanwhile(
    executable: Path, bare: Path, targets: dict[str, str], tmp_path: Path, compiled: bool
) -> None:
    mounted = ConfigMap(tmp_path / "keepalive", (executable if compiled else bare).read_bytes())
    configuration = tmp_path / "hacheck.toml"
    os.mkfifo(configuration)
    argv = ["/bin/sh", str(mounted.path), "run", "web", "--config", str(configuration), "--timeout=20s"]
    with subprocess.Popen(argv, env={}, stdout=subprocess.PIPE, text=True) as process:
        with configuration.open("w") as file:  # which waits until it reads
            mounted.replace(b"#!/bin/sh\nexit 77\n")
            file.write(f'[check.web]\nprobe = "http"\nurl = "{targets["http"].split()[1]}"\n')
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.startswith("PASS - http://127.0.0.1:")


def test_starts_over_when_it_is_replaced_between_the_shell_and_python(
    executable: Path, bare: Path, tmp_path: Path
) -> None:
    mounted = ConfigMap(tmp_path / "keepalive", executable.read_bytes())
    (tmp_path / "new").write_bytes(bare.read_bytes())
    python = tmp_path / "python3"
    python.write_text(
        f'#!/bin/sh\n[ -e {tmp_path}/new ] && mv {tmp_path}/new {mounted.path.resolve()}\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    assert passes(run("/bin/sh", mounted.path, "file", "/etc/passwd", PATH=f"{tmp_path}:/bin"))
    assert not (tmp_path / "new").exists()


def test_says_so_when_it_is_damaged(placed: Callable[..., Path]) -> None:
    path = placed()
    path.write_bytes(path.read_bytes().replace(b"PK\x03\x04", b"\nPK\x03\x04", 1))
    ran = run("/bin/sh", path, "file", "/etc/passwd")
    assert (ran.code, ran.out, ran.err) == (1, f"UNKNOWN - hacheck: {path} is damaged\n", "")


def test_needs_no_home_no_path_and_no_writable_directory(placed: Callable[..., Path]) -> None:
    path = placed()
    for directory in [path.parent, *path.parent.parents][:4]:
        directory.chmod(stat.S_IMODE(directory.stat().st_mode) | 0o055)
    inside = f"umask 0177; cd /; exec sh '{path}' file /etc/passwd"
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    assert passes(run(*map(found, as_nobody[:1]), *as_nobody[1:], "/usr/bin/env", "-i", "/bin/sh", "-c", inside))


def found(command: str) -> str:
    return shutil.which(command) or command


def test_runs_on_a_read_only_root(placed: Callable[..., Path]) -> None:
    words = [found("unshare"), "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    inside = 'mount -o remount,bind,ro / && ! touch /x 2>/dev/null && exec sh "$0" file /etc/passwd'
    path = placed()
    assert passes(run(*words, "/bin/sh", "-c", inside, path, PATH=os.environ["PATH"]))


def test_runs_where_the_working_directory_is_gone(executable: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    ran = run("/bin/sh", "-c", f"cd {gone}; rmdir {gone}; exec sh {executable} file /etc/passwd")
    assert (ran.code, ran.out[:4]) == (0, "PASS")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_runs_without_standard_streams(executable: Path, targets: dict[str, str], closed: str) -> None:
    for command in ("file", "tcp", "http"):
        ran = run("/bin/sh", "-c", f"exec sh {executable} {targets[command]} {closed}")
        assert (ran.code, ran.err) == (0, "")
    assert run("/bin/sh", "-c", f"exec sh {executable} tcp 127.0.0.1:1 {closed}").code == 1


def test_does_not_write_its_verdict_to_its_peer_when_standard_output_is_closed(executable: Path) -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"hello\n")
                connection.settimeout(5)
                heard.extend(iter(lambda: connection.recv(100), b""))

        thread = threading.Thread(target=listen)
        thread.start()
        port = server.getsockname()[1]
        ran = run("/bin/sh", "-c", f"exec sh {executable} tcp 127.0.0.1:{port} --expect hello >&-")
        thread.join(10)
    assert (ran.code, heard) == (0, [])


def test_leaves_the_environment_and_the_user_site_out(executable: Path, tmp_path: Path) -> None:
    for name in ("os.py", "click.py", "hachecks.py", "sitecustomize.py", "encodings.py"):
        (tmp_path / name).write_text("raise SystemExit('a module of the environment')\n")
    ran = run(
        "/bin/sh", executable, "file", "/etc/passwd", cwd=tmp_path, PYTHONPATH=str(tmp_path), PYTHONSTARTUP="x.py"
    )
    assert passes(ran)


def test_writes_nothing_beside_itself(placed: Callable[..., Path]) -> None:
    path = placed("alone/hacheck", 0o755)
    assert passes(run(path, "file", "/etc/passwd"))
    assert list(path.parent.iterdir()) == [path]
