"""Logins of databases: user and password from files and variables, as the databases' own clients find them."""

from __future__ import annotations

import os
import stat

from hachecks.secret_file import read_secret, read_text
from hachecks.verdict import CannotLook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hachecks.sql.database_url import DatabaseUrl

ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "r": "\r", "s": " ", "\\": "\\", '"': '"', "'": "'"}


class Login:
    """A user, the password if there is one, and what to add when the server refuses them."""

    __slots__ = ("note", "password", "user")

    def __init__(self, user: str, password: str | None, note: str = "") -> None:
        self.user = user
        self.password = password
        self.note = note


class Given:
    """What the check itself says: the first of the file's, the setting's and the URL's password."""

    def __init__(self, url: DatabaseUrl, password: str | None, password_file: str | None) -> None:
        self.url = url
        self.password = url.password if password is None else password
        self.password_file = password_file

    def explicit(self) -> str | None:
        """The password the check names, if it names one; raises `CannotLook`."""
        if self.password_file is None:
            return self.password
        return read_secret(self.password_file, keep_blanks=True)


def for_postgresql(given: Given, environ: Mapping[str, str]) -> Login:
    """The login as libpq finds it: what the check says, `PGPASSWORD`, then the password file; raises `CannotLook`."""
    url = given.url
    user = url.user or operating_system_user()
    password = given.explicit()
    password = environ.get("PGPASSWORD") if password is None else password
    if password is not None:
        return Login(user, password)
    path = environ.get("PGPASSFILE") or os.path.expanduser("~/.pgpass")
    text, note = _private(path, stat.S_IRWXG | stat.S_IRWXO, "group or others may read it (chmod 600)")
    host = "localhost" if url.target.path else url.target.host
    wanted = (host, str(url.port), url.database or user, user)
    return Login(user, password_in(text.split("\n"), wanted), note)


def for_mysql(given: Given, defaults_file: str | None, environ: Mapping[str, str]) -> Login:
    """The login as `mysql` finds it: what the check says, `[client]` of my.cnf, `MYSQL_PWD`; raises `CannotLook`."""
    if defaults_file is not None:
        client, note = client_options(read_text(defaults_file)), ""
    else:
        text, note = _private(os.path.expanduser("~/.my.cnf"), stat.S_IWOTH, "others may write it (chmod 600)")
        client = client_options(text)
    user = given.url.user or client.get("user") or operating_system_user()
    password = given.explicit()
    if password is None:
        password = client.get("password", environ.get("MYSQL_PWD"))
    return Login(user, password, note)


def operating_system_user() -> str:
    """The name of the user this process runs as; raises `CannotLook` where it has none, as in a container."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise CannotLook(f"name the user in the URL: user id {os.geteuid()} has no name here") from None


def _private(path: str, forbidden: int, why: str) -> tuple[str, str]:
    """The text of a file that must be private, or nothing and the reason; no reason when there is no such file."""
    try:
        found = os.stat(path)
    except OSError:
        return "", ""
    if not stat.S_ISREG(found.st_mode):
        return "", f" ({path} was not used: it is not a plain file)"
    if found.st_mode & forbidden:
        return "", f" ({path} was not used: {why})"
    try:
        return read_text(path), ""
    except CannotLook as hindrance:
        return "", f" ({hindrance})"


def password_in(lines: Iterable[str], wanted: tuple[str, ...]) -> str | None:
    r"""The password of the first matching line `HOST:PORT:DATABASE:USER:PASSWORD` of a .pgpass file.

    A field may be `*`; `\` takes the next character as it is.
    """
    for line in lines:
        if line.startswith("#"):
            continue
        fields = list(_fields(line.rstrip("\r")))
        if len(fields) < 5:
            continue
        if all(raw == "*" or plain == asked for (raw, plain), asked in zip(fields, wanted)):
            return fields[4][1]
    return None


def _fields(line: str) -> Iterator[tuple[str, str]]:
    """Each field as it is written, and without its escapes."""
    raw = plain = ""
    escaped = False
    for character in line:
        if escaped or character not in "\\:":
            raw, plain, escaped = raw + character, plain + character, False
        elif character == "\\":
            raw, escaped = raw + character, True
        else:
            yield raw, plain
            raw = plain = ""
    yield raw, plain


def client_options(text: str) -> dict[str, str]:
    """The `[client]` group of a my.cnf file; the last of several equal keys counts, and includes are not followed."""
    options: dict[str, str] = {}
    group = ""
    for line in text.split("\n"):
        line = line.strip()  # noqa: PLW2901
        if line.startswith("["):
            group = line[1:].partition("]")[0].strip()
        elif group == "client" and line and line[0] not in "#;!":
            key, _, value = line.partition("=")
            options[key.strip().replace("_", "-")] = _value(value.strip())
    return options


def _value(text: str) -> str:
    """An option's value as MySQL reads it: a comment begins at any # outside quotes; then quotes, then escapes."""
    text = text[: _end(text)].rstrip()
    if len(text) >= 2 and text[0] in "\"'" and text[-1] == text[0]:
        text = text[1:-1]
    pieces = iter(text)
    return "".join(_unescaped(next(pieces, "")) if piece == "\\" else piece for piece in pieces)


def _end(text: str) -> int:
    """Where the value ends and its comment begins."""
    quote = ""
    escaped = False
    for at, character in enumerate(text):
        if character == "#" and not quote:
            return at
        if character in "\"'" and not escaped and quote in ("", character):
            quote = "" if quote else character
        escaped = bool(quote) and character == "\\" and not escaped
    return len(text)


def _unescaped(character: str) -> str:
    return ESCAPES.get(character, "\\" + character)
