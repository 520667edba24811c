"""Database URLs as SQL clients write them, never shown with a password in them."""

from __future__ import annotations

from hachecks.net.target import Target, split_host_port
from hachecks.units import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMES = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
}
PORTS = {"postgresql": 5432, "mysql": 3306}
QUERY_KEYS = {"postgresql": ("host", "sslmode"), "mysql": ("socket",), "sqlite": ()}
SSLMODES = {"disable": False, "verify-full": True}
HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


class DatabaseUrl:
    """The URL of a database, taken apart; `path` is that of an SQLite file."""

    __slots__ = ("database", "password", "path", "port", "scheme", "target", "tls", "user")

    def __init__(
        self,
        scheme: str,
        target: Target,
        *,
        user: str = "",
        password: str | None = None,
        database: str = "",
        port: int = 0,
        tls: bool | None = None,
        path: str = "",
    ) -> None:
        self.scheme = scheme
        self.target = target
        self.user = user
        self.password = password
        self.database = database
        self.port = port
        self.tls = tls
        self.path = path

    @classmethod
    def parse(cls, text: str) -> DatabaseUrl:
        """From `SCHEME://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE][?KEY=VALUE]` or `sqlite:/PATH`.

        Raises `ValueError`, never with a password in its text.
        """
        scheme, colon, rest = text.partition(":")
        scheme = SCHEMES.get(scheme.lower(), "")
        if not colon or not scheme:
            raise ValueError("a database URL begins with postgresql://, mysql://, mariadb:// or sqlite:/")
        if scheme == "sqlite":
            return cls(scheme, Target("", None), path=_sqlite_path(rest))
        if not rest.startswith("//"):
            raise ValueError(f"write {scheme}://[USER@]HOST[:PORT]/DATABASE")
        return cls._of_server(scheme, rest[2:])

    @classmethod
    def _of_server(cls, scheme: str, rest: str) -> DatabaseUrl:
        end = min(at for at in (rest.find("/"), rest.find("?"), rest.find("#"), len(rest)) if at >= 0)
        authority, rest = rest[:end], rest[end:]
        if "@" in rest or "#" in rest:
            raise ValueError("percent-encode / ? # and @ in the user, the password and the database (%2F %3F %23 %40)")
        userinfo, _, where = authority.rpartition("@")
        user, colon, password = userinfo.partition(":")
        path, _, query = rest.partition("?")
        options = _options(scheme, query)
        target, port = _target(scheme, where, options)
        return cls(
            scheme,
            target,
            user=unquoted(user, "the user"),
            password=unquoted(password, "the password") if colon else None,
            database=unquoted(path[1:], "the database"),
            port=port,
            tls=_tls(options),
        )

    def __str__(self) -> str:
        if self.path:
            return f"sqlite:{self.path}"
        return f"{self.target}/{self.database}" if self.database else str(self.target)

    def __repr__(self) -> str:
        return f"{self.scheme}:{self.user}@{self} tls={self.tls}"


def refuse_password(text: str) -> str | None:
    """What to do instead when a URL on the command line holds a password."""
    userinfo, at, _ = text.rpartition("@")
    if not at or ":" not in userinfo.partition("://")[2]:
        return None
    return (
        "a password on the command line can be read by everybody on the node; use --password-file, the variable "
        "HACHECK_SQL_PASSWORD, ~/.pgpass (PostgreSQL) or ~/.my.cnf (MySQL)"
    )


def unquoted(text: str, what: str) -> str:
    """The text with its percent-encoding undone; raises `ValueError` naming `what` it is, not its content."""
    first, *others = text.split("%")
    data = first.encode()
    for part in others:
        code = part[:2]
        if len(code) != 2 or not HEX_DIGITS.issuperset(code):
            raise ValueError(f"{what} in the URL has a % that is not percent-encoding; write %25")
        data += bytes([int(code, 16)]) + part[2:].encode()
    try:
        decoded = data.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{what} in the URL is not UTF-8") from None
    return printable(decoded, f"{what} in the URL")


def _sqlite_path(rest: str) -> str:
    """`/PATH`, as in `sqlite:/PATH` and `sqlite:///PATH`."""
    path = rest[2:] if rest.startswith("//") else rest
    if not path.startswith("/") or path == "/":
        raise ValueError("an SQLite database is named by its absolute path: sqlite:/var/lib/app/app.db")
    if "?" in path or "#" in path:
        raise ValueError("sqlite:/PATH takes no options; percent-encode ? and # in the path (%3F %23)")
    return unquoted(path, "the path")


def _options(scheme: str, query: str) -> Mapping[str, str]:
    options: dict[str, str] = {}
    for part in query.split("&") if query else []:
        key, _, value = part.partition("=")
        if key not in QUERY_KEYS[scheme] or key in options:
            known = " and ".join(QUERY_KEYS[scheme])
            raise ValueError(f"{key!r} is not an option of a {scheme} URL here (known: {known}, once each)")
        options[key] = unquoted(value, key)
    return options


def _target(scheme: str, where: str, options: Mapping[str, str]) -> tuple[Target, int]:
    """Where to connect, and the port that names the server (also for a unix socket)."""
    directory = options.get("host", "")
    if where.lower().startswith("%2f"):  # libpq's other spelling: postgresql://%2Frun%2Fpostgresql/app
        directory, where = unquoted(where, "the host"), ""
    if "," in where:
        raise ValueError("one host per check; make a check for each and compose them (all = […] or any = […])")
    socket = options.get("socket", "")
    port = PORTS[scheme]
    if where.startswith(":"):
        port = split_host_port(f"localhost{where}")[1] or port
    elif where:
        host, given = split_host_port(where)
        port = given or port
    if directory or socket:
        if where and not where.startswith(":"):
            raise ValueError("a URL names a host or a unix socket, not both")
        if not (directory or socket).startswith("/"):
            raise ValueError(
                "a unix socket is named by its absolute path (?host=/run/postgresql, ?socket=/run/mysqld/mysqld.sock)"
            )
        return Target("", None, socket or f"{directory.rstrip('/')}/.s.PGSQL.{port}"), port
    if not where or where.startswith(":"):
        how = "?host=/run/postgresql" if scheme == "postgresql" else "?socket=/run/mysqld/mysqld.sock"
        raise ValueError(f"the URL names no host; for a unix socket write {scheme}://USER@/DATABASE{how}")
    return Target(host, port), port


def _tls(options: Mapping[str, str]) -> bool | None:
    mode = options.get("sslmode")
    if mode is None:
        return None
    if mode not in SSLMODES:
        raise ValueError(f"sslmode={mode} is not clear about verifying: write --tls, or --tls --no-verify")
    return SSLMODES[mode]
