"""What a check imports is most of what it costs: the dear modules, and which command may bring them in."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.servers import Http, Listening, Route
from tests.test_executable import NameServer, fresh, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.executable

DEAR = {
    *("argparse", "ast", "asyncio", "base64", "configparser", "contextlib", "copy", "csv", "ctypes", "dataclasses"),
    *(
        "datetime",
        "decimal",
        "difflib",
        "email",
        "enum",
        "gettext",
        "hashlib",
        "html",
        "http",
        "importlib.metadata",
        "inspect",
    ),
    *("ipaddress", "json", "locale", "logging", "pathlib", "platform", "queue", "random", "re", "secrets", "shutil"),
    *(
        "selectors",
        "signal",
        "site",
        "socket",
        "sqlite3",
        "ssl",
        "string",
        "subprocess",
        "tempfile",
        "textwrap",
        "threading",
        "tokenize",
        "tomllib",
    ),
    *("traceback", "typing", "unicodedata", "urllib", "uuid", "warnings", "weakref", "xml", "zipfile"),
    *("_collections_abc", "collections", "functools", "os", "posixpath", "stat", "struct"),
    *("anyio", "certifi", "click", "h11", "h2", "hpack", "httpcore", "hyperframe", "pg8000", "pymysql", "scramp"),
    *("tomli", "hachecks.commands", "hachecks.checks.composition", "hachecks.config"),
}
"""Modules that no check gets for nothing; a package stands for all that is in it."""

COLLECTIONS = {"_collections_abc", "collections", "functools"}
OS = {"_collections_abc", "os", "posixpath", "stat"}
PATTERNS = {"enum", "re", *COLLECTIONS}
HTTP = {"_collections_abc", "h11", "httpcore"}
HTTP2 = {
    *("ast", "contextlib", "copy", "dataclasses", "h2", "hpack", "hyperframe", "inspect", "struct", "threading"),
    *("tokenize", "typing", "warnings", "weakref", *HTTP, *OS, *PATTERNS),
}
TOML = {
    *("contextlib", "datetime", "difflib", "hachecks.checks.composition", "hachecks.config", "queue", "random"),
    *("string", "threading", "tomli", "tomllib", "typing", "warnings", "weakref", *OS, *PATTERNS),
}
POSTGRESQL = {"base64", "hashlib", "pg8000", "scramp", "struct", "unicodedata", "warnings", *PATTERNS}
MYSQL = {"base64", "hashlib", "pymysql", "selectors", "socket", "ssl", "struct", "warnings", *OS, *PATTERNS}
OURS = {
    *("argv", "checks", "checks.command_line", "checks.publish", "checks.results", "checks.runner", "checks.watchdog"),
    *("cli", "deadline", "net", "node", "probes", "registry", "settings"),
    *("state", "units", "verdict"),
}
"""What every check imports of ours."""
LEAVE = """\
import posix, sys
really = posix._exit
def leave(code):
    for name in sys.modules: sys.stderr.write(name + "\\n")
    sys.stderr.flush()
    really(code)
posix._exit = leave
exec(sys.argv.pop(1))
"""
"""Python that runs what follows it, and tells at the end what was imported."""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imported]:
    """Runs the executable and tells which modules were imported.

    The prelude starts `python3 -EsS -c TEXT …`; here that is a script which hands the text to Python in our own.
    """
    directory = tmp_path_factory.mktemp("python")
    python = directory / "python3"
    (directory / "leave.py").write_text(LEAVE)
    interpreter = os.path.realpath(sys.executable)
    python.write_text(f'#!/bin/sh\nshift 2\nexec {interpreter} -EsS -c "$(cat {directory}/leave.py)" "$@"\n')
    python.chmod(0o755)
    with Http({"/": Route(b'{"ok": true}')}) as web, Listening() as port, NameServer() as names:
        (directory / "hacheck.toml").write_text(f'[check.port]\nprobe = "tcp"\ntarget = "127.0.0.1:{port.port}"\n')
        (directory / "a.db").touch()
        places = {"web": web.url, "port": port.port, "names": names.port, "directory": directory}
        yield Imported(fresh(tmp_path_factory), python.parent, places)


class Imported:
    """The modules that a run of the executable imports."""

    def __init__(self, executable: Path, python: Path, places: dict[str, object]) -> None:
        self.executable = executable
        self.python = python
        self.places = places

    def by(self, command: str, code: int) -> set[str]:
        """The modules that this command line imports, after it ended as expected."""
        words = command.format(**self.places).split()
        state = f"{self.places['directory']}/state"  # where nobody delivers, whom a check would look after
        ran = run("/bin/sh", self.executable, *words, PATH=f"{self.python}:/bin", HACHECK_STATE_DIR=state)
        assert ran.code == code, ran
        return set(ran.err.split())


def dear(modules: set[str]) -> set[str]:
    """The dear ones among them."""
    return {name for name in DEAR if any(module == name or module.startswith(f"{name}.") for module in modules)}


@pytest.mark.parametrize(
    ("command", "code", "allowed"),
    [
        pytest.param("file /etc/passwd", 0, set(), id="file"),
        pytest.param("tcp 127.0.0.1:{port}", 0, set(), id="tcp"),
        pytest.param("tcp 127.0.0.1:1", 1, set(), id="tcp refused"),
        pytest.param("dns example.org --server 127.0.0.1:{names}", 0, set(), id="dns"),
        pytest.param("http {web}", 0, HTTP, id="http"),
        pytest.param("http {web} --json .ok", 0, HTTP | {"json", *PATTERNS}, id="http json"),
        pytest.param("http {web} --http2", 1, HTTP2, id="http2"),
        pytest.param("sql postgresql://a@127.0.0.1:1/a", 1, POSTGRESQL, id="postgresql"),
        pytest.param("sql mysql://a@127.0.0.1:1/a", 1, MYSQL, id="mysql"),
        pytest.param("sql sqlite:{directory}/a.db", 0, {"datetime", "sqlite3", *COLLECTIONS}, id="sqlite"),
        pytest.param("run port --config {directory}/hacheck.toml", 0, TOML, id="run"),
    ],
)
def test_imports_no_more_than_it_may(imported: Imported, command: str, code: int, allowed: set[str]) -> None:
    assert dear(imported.by(command, code)) <= allowed


def test_tcp_imports_so_many_of_our_modules(imported: Imported) -> None:
    ours = {name for name in imported.by("tcp 127.0.0.1:{port}", 0) if name.startswith("hachecks.")}
    way = {"probes.tcp", *(f"net.{name}" for name in ("dialogue", "proxy_protocol", "target", "tls", "transport"))}
    assert ours == {f"hachecks.{name}" for name in OURS | way}
