"""A database URL says where, who and what; nothing it shows holds the password."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.sql.database_url import DatabaseUrl, refuse_password

TEXTS = st.text(st.characters(exclude_categories=("C", "Z")), max_size=12)


def parts(url: str) -> tuple[object, ...]:
    parsed = DatabaseUrl.parse(url)
    return parsed.scheme, str(parsed.target), parsed.user, parsed.password, parsed.database, parsed.tls


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("postgresql://db", ("postgresql", "db:5432", "", None, "", None), id="host-alone"),
        pytest.param("postgres://u@db:6/a", ("postgresql", "db:6", "u", None, "a", None), id="postgres"),
        pytest.param("POSTGRESQL://db/", ("postgresql", "db:5432", "", None, "", None), id="scheme-in-capitals"),
        pytest.param("mariadb://u:p@db/a", ("mysql", "db:3306", "u", "p", "a", None), id="mariadb"),
        pytest.param("mysql://u:@db/a", ("mysql", "db:3306", "u", "", "a", None), id="empty-password"),
        pytest.param("mysql://[2001:db8::1]/a", ("mysql", "[2001:db8::1]:3306", "", None, "a", None), id="ipv6"),
        pytest.param(
            "postgresql://us%40er:p%3A%2F%C3%A9@db/a%20b",
            ("postgresql", "db:5432", "us@er", "p:/é", "a b", None),
            id="percent-encoded",
        ),
        pytest.param("postgresql://u:p@x@db/a", ("postgresql", "db:5432", "u", "p@x", "a", None), id="last-at-counts"),
        pytest.param(
            "postgresql://u@/a?host=/run/pg",
            ("postgresql", "unix:/run/pg/.s.PGSQL.5432", "u", None, "a", None),
            id="postgresql-socket",
        ),
        pytest.param(
            "postgresql://u@:5433/a?host=/run/pg/",
            ("postgresql", "unix:/run/pg/.s.PGSQL.5433", "u", None, "a", None),
            id="postgresql-socket-port",
        ),
        pytest.param(
            "postgresql://%2Frun%2Fpg/a",
            ("postgresql", "unix:/run/pg/.s.PGSQL.5432", "", None, "a", None),
            id="postgresql-socket-as-host",
        ),
        pytest.param(
            "mysql://u@/a?socket=/run/my.sock", ("mysql", "unix:/run/my.sock", "u", None, "a", None), id="mysql-socket"
        ),
        pytest.param(
            "postgresql://db/a?sslmode=verify-full", ("postgresql", "db:5432", "", None, "a", True), id="verify-full"
        ),
        pytest.param(
            "postgresql://db/a?sslmode=disable", ("postgresql", "db:5432", "", None, "a", False), id="disable"
        ),
    ],
)
def test_is_taken_apart(url: str, expected: tuple[object, ...]) -> None:
    assert parts(url) == expected


@pytest.mark.parametrize("url", ["sqlite:/var/lib/a.db", "sqlite:///var/lib/a.db"])
def test_names_a_file(url: str) -> None:
    assert DatabaseUrl.parse(url).path == "/var/lib/a.db"
    assert str(DatabaseUrl.parse(url)) == "sqlite:/var/lib/a.db"


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        pytest.param("", "begins with postgresql://, mysql://, mariadb:// or sqlite:/", id="empty"),
        pytest.param("oracle://db", "begins with postgresql://, mysql://, mariadb:// or sqlite:/", id="scheme"),
        pytest.param("postgresql:db", "write postgresql://[USER@]HOST[:PORT]/DATABASE", id="no-slashes"),
        pytest.param("mysql:///a", "names no host; for a unix socket write mysql://USER@/DATABASE?socket=", id="host"),
        pytest.param("mysql://:3306/a", "names no host", id="port-alone"),
        pytest.param("postgresql://a,b/d", "one host per check", id="two-hosts"),
        pytest.param("postgresql://db:0/d", "'0' in 'db:0' is not a port", id="port"),
        pytest.param("postgresql://u:se/cret@db/d", "percent-encode / ? # and @", id="slash-in-password"),
        pytest.param("postgresql://u:se?cret@db/d", "percent-encode / ? # and @", id="mark-in-password"),
        pytest.param("postgresql://u:se#cret@db/d", "percent-encode / ? # and @", id="hash-in-password"),
        pytest.param("postgresql://u:secret%zz@db/d", "the password in the URL has a %", id="bad-encoding"),
        pytest.param("postgresql://u:secret%ff@db/d", "the password in the URL is not UTF-8", id="not-utf-8"),
        pytest.param("postgresql://u%00x@db/d", "the user in the URL has a control character", id="nul"),
        pytest.param(
            "postgresql://db/d?connect_timeout=3", "'connect_timeout' is not an option of a postgresql", id="key"
        ),
        pytest.param("postgresql://db/d?socket=/x", "(known: host and sslmode, once each)", id="other-kind's-key"),
        pytest.param("postgresql://db/d?host=/a&host=/b", "'host' is not an option", id="key-twice"),
        pytest.param("postgresql://db/d?host=/a", "a host or a unix socket, not both", id="host-and-socket"),
        pytest.param("postgresql://u@/d?host=db", "by its absolute path", id="socket-not-absolute"),
        pytest.param("postgresql://db/d?sslmode=require", "sslmode=require is not clear about verifying", id="sslmode"),
        pytest.param("sqlite:a.db", "by its absolute path: sqlite:/", id="relative-file"),
        pytest.param("sqlite://", "by its absolute path: sqlite:/", id="no-file"),
        pytest.param("sqlite:/a.db?mode=rwc", "takes no options", id="sqlite-option"),
    ],
)
def test_is_refused(url: str, complaint: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the text is looked at
        DatabaseUrl.parse(url)
    assert complaint in str(refusal.value)
    assert "cret" not in str(refusal.value)


@given(TEXTS, TEXTS, TEXTS)
def test_gives_back_what_was_encoded(user: str, password: str, database: str) -> None:
    url = f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@db/{quote(database, safe='')}"
    parsed = DatabaseUrl.parse(url)
    assert (parsed.user, parsed.password, parsed.database) == (user, password, database)


@given(st.text(max_size=60), st.sampled_from(["", "postgresql://", "mysql://u:p@", "sqlite:/", "postgresql://h/d?"]))
def test_is_taken_or_refused_whatever_it_is(text: str, start: str) -> None:
    try:
        parsed = DatabaseUrl.parse(start + text)
    except ValueError:
        return
    assert parsed.path or parsed.target.path or parsed.target.host


@given(st.text("abcdef", min_size=1), st.text("QXZ/?#@%:", min_size=6))
def test_shows_no_password(user: str, password: str) -> None:
    url = f"mysql://{user}:{password}@db/d"
    assert refuse_password(url)
    try:
        shown = f"{DatabaseUrl.parse(url)} {DatabaseUrl.parse(url)!r}"
    except ValueError as refusal:
        shown = str(refusal).replace("(%2F %3F %23 %40)", "")
    assert password not in shown


@pytest.mark.parametrize("url", ["postgresql://db/d", "postgresql://u@db:5432/d", "mysql://u@[::1]:1/d", "sqlite:/a:b"])
def test_without_a_password_may_stand_on_the_command_line(url: str) -> None:
    assert refuse_password(url) is None
