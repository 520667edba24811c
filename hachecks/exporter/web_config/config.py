"""The `web.config.file` of the Prometheus exporters: who may ask, and how, by TLS, users, headers and a rate.

The format is exporter-toolkit's web-configuration.md. What Python's ssl cannot honour is refused in one line, never
ignored; the rest means what it means there.
"""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hachecks.config import nearest
from hachecks.exporter.web_config.file import Files, Table, mapping_of, stamp_of
from hachecks.exporter.web_config.rate import Rate, rate_limit
from hachecks.exporter.web_config.tls import TLS_KEYS, Rotating, tls_context
from hachecks.exporter.web_config.users import HASH, Busy, Users
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTIONS = ("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit")
HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""The headers that may be set, and their values where not every one is allowed."""


class WebConfig:
    """The file as it was last read without fault; `refresh` reads it again when it or a certificate has changed.

    `notes` are lines to be said once at the start.
    """

    def __init__(self, path: str, content: _Content) -> None:
        self.path = path
        self._content = content
        self._context = Rotating(ssl.PROTOCOL_TLS_SERVER) if content.context else None
        if self._context and content.context:
            self._context.latest = content.context

    @classmethod
    def read(cls, path: str) -> WebConfig:
        """Read the file; raises `Invalid`."""
        return cls(path, _Content.read(path))

    @property
    def headers(self) -> Mapping[str, str]:
        """What every response carries."""
        return self._content.headers

    @property
    def notes(self) -> tuple[str, ...]:
        """What the file says that makes no difference here, and why."""
        return self._content.notes

    def ssl_context(self) -> ssl.SSLContext | None:
        """The context for a server on asyncio, for good; None for plain HTTP."""
        return self._context

    @property
    def has_users(self) -> bool:
        """Whether only users are admitted."""
        return self._content.users is not None

    async def admits(self, authorization: str | None, peer: str = "") -> bool | None:
        """Whether this Authorization header is a user's with the right password; everybody's is where no user is.

        None says that passwords are tried faster than they are compared, above all by this peer.
        """
        users = self._content.users
        try:
            return users is None or await users.admit(authorization, peer)
        except Busy:
            return None

    def allows(self) -> bool:
        """Whether one more request is within `rate_limit`, and counts it; 429 is the answer to one that is not."""
        rate = self._content.rate
        return rate is None or rate.take(time.monotonic())

    def refresh(self) -> str | None:
        """Read again what has changed; returns in one line what keeps it from being used, while that lasts."""
        if all(stamp_of(path) == stamp for path, stamp in self._content.files.items()):
            return None
        try:
            self._take(_Content.read(self.path))
        except Invalid as error:
            return f"{error}; what was read before stays in force"
        except (OSError, MemoryError) as error:  # a passing lack of files or memory
            lack = error.strerror if isinstance(error, OSError) else "there is not enough memory"
            return f"{self.path}: {lack}; what was read before stays in force"
        return None

    def _take(self, content: _Content) -> None:
        if (content.context is None) != (self._context is None):
            turned = "off" if content.context is None else "on"
            raise Invalid(f"{self.path}: tls_server_config: TLS goes {turned} at a start only; restart the exporter")
        if content.users and content.users.same_as(self._content.users):
            content.users = self._content.users  # who was verified stays so
        if content.rate and content.rate.same_as(self._content.rate):
            content.rate = self._content.rate
        if self._context and content.context:
            self._context.latest = content.context
        self._content = content


@dataclass
class _Content:
    """What one reading of the file came to."""

    context: ssl.SSLContext | None
    headers: Mapping[str, str]
    notes: tuple[str, ...]
    users: Users | None
    rate: Rate | None
    files: Mapping[str, tuple[int, ...] | None]

    @classmethod
    def read(cls, path: str) -> _Content:
        """Everything from the file and those it names; raises `Invalid`."""
        files = Files(path)
        document = Table(path, mapping_of(path, files.read(path, path), SECTIONS))
        document.refuse_unknown(SECTIONS)
        http = document.table("http_server_config")
        http.refuse_unknown(("http2", "headers"))
        notes = []
        if http.boolean("http2", default=False):
            notes.append(f"{http.where}.http2: HTTP/1.1 is served; clients that offer HTTP/2 agree on it by themselves")
        tls = document.table("tls_server_config")
        tls.refuse_unknown(TLS_KEYS)
        return cls(
            context=tls_context(tls, files) if tls.values else None,
            headers=_headers(http.table("headers")),
            notes=tuple(notes),
            users=_users(document.table("basic_auth_users")),
            rate=rate_limit(document.table("rate_limit")),
            files=files.stamps,
        )


def _headers(table: Table) -> dict[str, str]:
    for name in table.values:
        if name not in HEADERS:
            raise table.invalid(name, f"cannot be set{nearest(name, HEADERS)}")
        value = table.text(name)
        if value and HEADERS[name] and value not in HEADERS[name]:
            raise table.invalid(name, f"{value!r} is none of {', '.join(HEADERS[name])}")
        if not value.isprintable() or not value.isascii():
            raise table.invalid(name, "takes one line of ASCII")
    return {name: value for name, value in table.values.items() if value}


def _users(table: Table) -> Users | None:
    hashes = {}
    for name in table.values:
        if ":" in name:
            raise table.invalid(name, "a name with a colon can never log in; leave it out")
        if not HASH.fullmatch(table.text(name)):
            raise table.invalid(name, "is no bcrypt hash ($2y$10$…); make one with htpasswd -nBC 10 NAME")
        hashes[name.encode()] = table.text(name).encode()
    return Users(hashes) if hashes else None
