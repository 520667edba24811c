"""An SQLite file is opened as it is, and never made."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from hachecks.checks import runner
from hachecks.deadline import Deadline
from hachecks.probes.sql import SqlProbe
from hachecks.settings import build
from hachecks.verdict import Status, Verdict
from tests.probes.asking import answer_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database with one table of three rows, and a name with every trap."""
    path = tmp_path / "a b?#%é.db"
    connection = sqlite3.connect(path)
    connection.executescript("create table beat (at int); insert into beat values (1), (2), (3)")
    connection.close()
    return path


def url(path: Path) -> str:
    return "sqlite:" + str(path).replace("%", "%25").replace("?", "%3F").replace("#", "%23")


def ask(path: Path, timeout: float = 20.0, **table: object) -> Verdict:
    """The verdict on the file."""
    given = {"url": url(path), **table}
    return runner.conclude(build(SqlProbe, "sql", {}, {}, given, "hacheck.toml"), Deadline.after(timeout))


def test_file_can_be_read(file: Path) -> None:
    assert answer_of("sql", url(file)) == (0, f"PASS - sqlite:{file} can be read (1 tables, indexes and views)\n", "")
    verdict = ask(file, query="select count(*) from beat", expect="3")
    assert repr(verdict).endswith("can be read (1 tables, indexes and views), answers the query with 3")
    assert ask(file, query="pragma quick_check", expect="ok").status is Status.PASS
    assert ask(file, query="select null, x'4142', 1.5", expect="=").status is Status.FAIL


def test_absent_file_fails_and_stays_absent(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    for writable in (False, True):
        assert repr(ask(path, writable=writable)) == f"FAIL - {path} does not exist"
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_database_fails(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("hello, this is a text that is no database\n" * 100)
    assert repr(ask(path)) == f"FAIL - {path}: file is not a database"


def test_directory_is_unknown(tmp_path: Path) -> None:
    assert repr(ask(tmp_path)) == f"UNKNOWN - {tmp_path} is not a plain file"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_file_that_we_may_not_read_is_unknown(file: Path) -> None:
    file.parent.chmod(0o755)
    file.chmod(0o600)
    program = (
        "import hachecks.sql.sqlite, os, sys; from pathlib import Path; from tests.probes.test_sql_sqlite import ask\n"
        "os.setegid(65534); os.seteuid(65534); print(ask(Path(sys.argv[1])))"
    )
    words = [sys.executable, "-c", program, str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "Permission denied" in done.stdout
    assert done.stdout.startswith("UNKNOWN")


def test_damage_is_found_by_quick_check(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.executemany("insert into beat values (?)", [(n,) for n in range(20000)])
    connection.commit()
    connection.close()
    with file.open("r+b") as database:
        database.seek(4096 * 5)
        database.write(b"\xff" * 4096 * 3)
    verdict = ask(file, query="pragma quick_check", expect="ok")
    assert verdict.status is Status.FAIL


def test_writes_are_rolled_back(file: Path) -> None:
    verdict = ask(file, writable=True, query="insert into beat values (4) returning at", expect="4")
    told = "can be read (1 tables, indexes and views), takes writes, answers the query with 4"
    assert repr(verdict) == f"PASS - sqlite:{file} {told}"
    assert ask(file, query="select count(*) from beat", expect="3").status is Status.PASS
    verdict = ask(file, query="insert into beat values (4)")
    assert repr(verdict) == f"FAIL - {file}: attempt to write a readonly database"


def test_locked_file_takes_no_writes(file: Path) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("begin immediate")
    try:
        assert ask(file).status is Status.PASS
        verdict = ask(file, timeout=1, writable=True)
        assert repr(verdict) == f"FAIL - {file}: database is locked"
    finally:
        connection.close()


def test_endless_query_ends_by_the_deadline(file: Path) -> None:
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"
    began = time.monotonic()
    verdict = ask(file, timeout=0.5, query=endless)
    assert repr(verdict) == f"FAIL - sqlite:{file} gave no full answer within 500 ms (query)"
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("query", "told"),
    [
        pytest.param("selec", 'near "selec": syntax error', id="syntax"),
        pytest.param("select * from nowhere", "no such table: nowhere", id="table"),
        pytest.param("select 1; select 2", "You can only execute one statement at a time.", id="two-statements"),
        pytest.param(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000) select i from n",
            "answers with more than 1000 rows; let the query count them",
            id="rows",
        ),
    ],
)
def test_query_that_goes_wrong_fails(file: Path, query: str, told: str) -> None:
    verdict = ask(file, query=query)
    assert verdict.status is Status.FAIL
    assert verdict.reason.endswith(told)
