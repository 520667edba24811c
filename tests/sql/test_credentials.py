"""A login is found where the databases' own clients find it."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.sql import credentials
from hachecks.sql.credentials import Given, client_options, password_in
from hachecks.sql.database_url import DatabaseUrl
from hachecks.verdict import CannotLook

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]))
ASKED = ("db", "5432", "app", "user")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with nothing in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def given_for(url: str, password: str | None = None, password_file: Path | None = None) -> Given:
    return Given(DatabaseUrl.parse(url), password, None if password_file is None else str(password_file))


def private(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("line", "password"),
    [
        pytest.param("db:5432:app:user:secret", "secret", id="exact"),
        pytest.param("*:*:*:*:secret", "secret", id="wildcards"),
        pytest.param("db:5432:app:user:a\\:b\\\\c", "a:b\\c", id="escapes"),
        pytest.param("db:5432:app:user:a:b", "a", id="ends-at-a-colon"),
        pytest.param("db:5432:app:user:", "", id="empty"),
        pytest.param("db:5432:app:user:secret\r", "secret", id="carriage-return"),
        pytest.param("\\d\\b:5432:app:user:secret", "secret", id="needless-escapes"),
        pytest.param("#db:5432:app:user:secret", None, id="comment"),
        pytest.param("other:5432:app:user:secret", None, id="other-host"),
        pytest.param("db:5433:app:user:secret", None, id="other-port"),
        pytest.param("db:5432:app:other:secret", None, id="other-user"),
        pytest.param("\\*:5432:app:user:secret", None, id="escaped-star"),
        pytest.param("db:5432:app:user", None, id="too-short"),
        pytest.param("", None, id="blank"),
    ],
)
def test_pgpass_line(line: str, password: str | None) -> None:
    assert password_in([line], ASKED) == password


def test_first_matching_line_of_pgpass_counts() -> None:
    assert password_in(["other:*:*:*:1", "db:*:*:*:2", "*:*:*:*:3"], ASKED) == "2"


@given(st.tuples(*[TEXTS] * 5))
def test_pgpass_gives_back_what_was_escaped(fields: tuple[str, ...]) -> None:
    line = ":".join(field.replace("\\", "\\\\").replace(":", "\\:") for field in fields)
    found = password_in([line], fields[:4])
    assert found == (None if line.startswith("#") else fields[4])


@given(st.lists(st.text()), st.tuples(*[st.text()] * 4))
def test_any_text_is_a_pgpass_file(lines: list[str], wanted: tuple[str, ...]) -> None:
    password_in(lines, wanted)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        pytest.param("[client]\nuser=me\npassword = secret\n", {"user": "me", "password": "secret"}, id="plain"),
        pytest.param("user=x\n[mysqld]\nuser=y\n[client]\nuser=me\n[other]\nuser=z", {"user": "me"}, id="groups"),
        pytest.param("[client]\nuser=a\nuser=b", {"user": "b"}, id="last-counts"),
        pytest.param("[client]\npassword='a#b' # why\n", {"password": "a#b"}, id="quoted"),
        pytest.param('[client]\npassword="a\'b"\n', {"password": "a'b"}, id="quote-in-quotes"),
        pytest.param("[client]\npassword=a#b\n", {"password": "a"}, id="comment"),
        pytest.param('[client]\npassword="a\\"#\\\\\\s"\n', {"password": 'a"#\\ '}, id="escapes"),
        pytest.param("[client]\n# a\n; b\n!include x\nuser=me", {"user": "me"}, id="comments-and-includes"),
        pytest.param(
            "[client]\ndefault_character_set=x\nskip-ssl\n", {"default-character-set": "x", "skip-ssl": ""}, id="names"
        ),
        pytest.param("[client]\r\nuser=me\r\n", {"user": "me"}, id="carriage-returns"),
    ],
)
def test_client_group_of_my_cnf(text: str, options: dict[str, str]) -> None:
    assert client_options(text) == options


@given(TEXTS)
def test_my_cnf_gives_back_what_was_quoted(password: str) -> None:
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    assert client_options(f'[client]\npassword="{quoted}"') == {"password": password}


@given(st.text())
def test_any_text_is_a_my_cnf(text: str) -> None:
    client_options("[client]\n" + text)


def test_what_the_check_names_counts_first(home: Path) -> None:
    file = private(home / "file", "from file\n", 0o644)
    private(home / ".pgpass", "*:*:*:*:from pgpass")
    private(home / ".my.cnf", "[client]\nuser=root\npassword=from my.cnf")
    url = "postgresql://u:from%20url@db/d"
    environ = {"PGPASSWORD": "from variable", "MYSQL_PWD": "from variable"}
    for_postgresql, for_mysql = credentials.for_postgresql, credentials.for_mysql
    assert for_postgresql(given_for(url, "from setting", file), environ).password == "from file"
    assert for_postgresql(given_for(url, "from setting"), environ).password == "from setting"
    assert for_postgresql(given_for(url), environ).password == "from url"
    assert for_postgresql(given_for("postgresql://u@db/d"), environ).password == "from variable"
    assert for_postgresql(given_for("postgresql://u@db/d"), {}).password == "from pgpass"
    assert for_mysql(given_for("mysql://u:from%20url@db"), None, environ).password == "from url"
    assert for_mysql(given_for("mysql://u@db"), None, environ).password == "from my.cnf"
    assert for_mysql(given_for("mysql://db"), None, environ).user == "root"
    assert for_mysql(given_for("mysql://u@db"), str(private(home / "empty", "")), environ).password == "from variable"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_pgpass_that_others_can_read_is_not_used(home: Path, mode: int) -> None:
    path = private(home / ".pgpass", "*:*:*:*:secret", mode)
    login = credentials.for_postgresql(given_for("postgresql://u@db/d"), {})
    assert login.password is None
    assert login.note == f" ({path} was not used: group or others may read it (chmod 600))"


def test_pgpassfile_is_used_instead(home: Path) -> None:
    path = private(home / "elsewhere", "localhost:5432:d:u:secret")
    url = "postgresql://u@/d?host=/run/postgresql"
    assert credentials.for_postgresql(given_for(url), {"PGPASSFILE": str(path)}).password == "secret"


def test_database_is_named_as_the_user_by_default(home: Path) -> None:
    private(home / ".pgpass", "db:5432:u:u:secret")
    assert credentials.for_postgresql(given_for("postgresql://u@db"), {}).password == "secret"


def test_my_cnf_that_everybody_can_write_is_not_used(home: Path) -> None:
    path = private(home / ".my.cnf", "[client]\npassword=secret", 0o666)
    login = credentials.for_mysql(given_for("mysql://u@db"), None, {})
    assert (login.password, login.note) == (None, f" ({path} was not used: others may write it (chmod 600))")


def test_what_is_no_plain_file_is_not_used(home: Path) -> None:
    (home / ".pgpass").mkdir()
    login = credentials.for_postgresql(given_for("postgresql://u@db/d"), {})
    assert login.note == f" ({home}/.pgpass was not used: it is not a plain file)"


def test_user_is_the_operating_systems_by_default(home: Path) -> None:  # noqa: ARG001
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert credentials.for_postgresql(given_for("postgresql://db/d"), {}).user == me
    assert credentials.for_mysql(given_for("mysql://db"), None, {}).user == me


@pytest.mark.parametrize("text", ["", "\n", "one\ntwo\n"])
def test_password_file_holds_one_line(tmp_path: Path, text: str) -> None:
    file = private(tmp_path / "file", text)
    with pytest.raises(CannotLook, match="expected one line of text"):
        given_for("mysql://u@db", None, file).explicit()


def test_password_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotLook, match=f"cannot read {tmp_path}/none: No such file or directory"):
        given_for("mysql://u@db", None, tmp_path / "none").explicit()
