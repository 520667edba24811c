"""Who may ask the exporter, and how? The `web.config.file` of the Prometheus exporters: TLS, users, headers, a rate.

The format is exporter-toolkit's web-configuration.md. What Python's ssl cannot honour is refused in one line, never
ignored; the rest means what it means there.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hmac
import ipaddress
import os
import re
import secrets
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bcrypt
import yaml

from hachecks.config import nearest, refuse_unknown
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

SECTIONS = ("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit")
TLS_KEYS = (
    "cert", "key", "client_ca", "cert_file", "key_file", "client_ca_file", "client_auth_type", "client_allowed_sans",
    "min_version", "max_version", "cipher_suites", "prefer_server_cipher_suites", "curve_preferences",
)  # fmt: skip
HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""The headers that may be set, and their values where not every one is allowed."""
VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
BROKEN_VERSIONS = ("TLS10", "TLS11")
CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
UNVERIFIED = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")
SUITES_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
SUITES = {
    f"TLS_ECDHE_{signature}_WITH_{go}": f"ECDHE-{signature}-{openssl}"
    for signature in ("ECDSA", "RSA")
    for go, openssl in (
        ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
        ("AES_128_CBC_SHA", "AES128-SHA"),
        ("AES_256_CBC_SHA", "AES256-SHA"),
    )
}
"""Go's names of the suites up to TLS 1.2 that it deems secure, and OpenSSL's."""
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
# Go takes whatever is in client_ca_file for a root, intermediates too. Python 3.9 has no name for the flag.
PARTIAL_CHAIN = ssl.VerifyFlags(0x80000)

# The last letter of the salt has two bits of it only; bcrypt compares with nothing else.
HASH = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
LONGEST_PASSWORD = 72
"""Bytes of a password that bcrypt looks at; htpasswd and Go leave out the rest, where Python's bcrypt complains."""
MOST_KNOWN = 1000
GO_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
GO_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
YOUNG = 2.0
"""Seconds in which a file may change again and keep its size and its time, which file systems count in coarse steps."""


class WebConfig:
    """The file as it was last read without fault; `refresh` reads it again when it or a certificate has changed.

    `notes` are lines to be said once at the start.
    """

    def __init__(self, path: str, content: _Content) -> None:
        self.path = path
        self._content = content
        self._context = _Rotating(ssl.PROTOCOL_TLS_SERVER) if content.context else None
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

    async def admits(self, authorization: str | None) -> bool:
        """Whether this Authorization header is a user's with the right password; everybody's is where no user is."""
        users = self._content.users
        return users is None or await users.admit(authorization)

    def allows(self) -> bool:
        """Whether one more request is within `rate_limit`, and counts it; 429 is the answer to one that is not."""
        rate = self._content.rate
        return rate is None or rate.take(time.monotonic())

    def refresh(self) -> str | None:
        """Read again what has changed; returns in one line what keeps it from being used, while that lasts."""
        if all(_stamp(path) == stamp for path, stamp in self._content.files.items()):
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
    users: _Users | None
    rate: _Rate | None
    files: Mapping[str, tuple[int, ...] | None]

    @classmethod
    def read(cls, path: str) -> _Content:
        """Everything from the file and those it names; raises `Invalid`."""
        files = _Files(path)
        document = _Table(path, _yaml(path, files.read(path, path)))
        document.refuse_unknown(SECTIONS)
        http = document.table("http_server_config")
        http.refuse_unknown(("http2", "headers"))
        notes = []
        if http.boolean("http2", default=False):
            notes.append(f"{http.where}.http2: HTTP/1.1 is served; clients that offer HTTP/2 agree on it by themselves")
        tls = document.table("tls_server_config")
        tls.refuse_unknown(TLS_KEYS)
        return cls(
            context=_tls_context(tls, files) if tls.values else None,
            headers=_headers(http.table("headers")),
            notes=tuple(notes),
            users=_users(document.table("basic_auth_users")),
            rate=_rate(document.table("rate_limit")),
            files=files.stamps,
        )


class _Files:
    """The files as they are read: names are relative to the directory of the first, and each has a stamp."""

    def __init__(self, path: str) -> None:
        self.directory = os.path.dirname(path)
        self.stamps: dict[str, tuple[int, ...] | None] = {}

    def read(self, where: str, name: str, within: str = "") -> bytes:
        """The bytes of a file; raises `Invalid`."""
        path = os.path.join(within, name)
        stamp = _stamp(path)  # taken before the file is read, so that what is written meanwhile is a change
        self.stamps[path] = None if stamp and abs(time.time() - stamp[0] / 1e9) < YOUNG else stamp
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError as error:
            named = "" if path == where else f" {path}"
            raise Invalid(f"{where}:{named} {error.strerror}; name a file that this user may read") from None


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev


class _Table:
    """A mapping of the file, and where it stands."""

    def __init__(self, where: str, values: Mapping[str, Any], prefix: str = ": ") -> None:
        self.where = where
        self.values = values
        self._prefix = prefix

    def invalid(self, key: str, wrong: str) -> Invalid:
        """A complaint about one key."""
        return Invalid(f"{self.where}{self._prefix}{key}: {wrong}")

    def refuse_unknown(self, known: Sequence[str]) -> None:
        """Raise `Invalid` at a key that is none of these."""
        refuse_unknown(self.where, self.values, known)

    def table(self, key: str) -> _Table:
        """A mapping; an empty one where there is none."""
        values = self.values.get(key, "") or {}
        if not isinstance(values, dict):
            raise self.invalid(key, "takes a mapping: indent what belongs to it")
        return _Table(f"{self.where}{self._prefix}{key}", values, ".")

    def text(self, key: str) -> str:
        """A text; an empty one where there is none."""
        value = self.values.get(key, "")
        if not isinstance(value, str):
            raise self.invalid(key, "takes one value")
        return value

    def texts(self, key: str) -> list[str]:
        """A list of texts; an empty one where there is none."""
        values = self.values.get(key, "") or []
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self.invalid(key, "takes a list: write - before each")
        return values

    def boolean(self, key: str, *, default: bool) -> bool:
        """True or false."""
        word = self.text(key).lower()
        if word not in ("", "true", "false"):
            raise self.invalid(key, f"{word!r} is neither true nor false")
        return word == "true" if word else default


class _Loader(yaml.BaseLoader):
    """Texts, lists and mappings, as they are written: a user may be called `no` or `007`. A key stands once, as in Go.

    PyYAML takes the last of two equal keys, which would leave one of two users out.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) != len(node.value):
            keys = [key.value for key, _ in node.value]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise yaml.constructor.ConstructorError(None, None, f"{twice} stands there twice", node.start_mark)
        return mapping


def _yaml(path: str, data: bytes) -> dict[str, Any]:
    try:
        document = yaml.load(data, _Loader) or {}  # noqa: S506 - it makes texts, lists and mappings, nothing else
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise Invalid(f"{path}: {line}{error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError):
        raise Invalid(f"{path}: this is no YAML in UTF-8") from None
    if not isinstance(document, dict):
        raise Invalid(f"{path}: takes a mapping of {', '.join(SECTIONS)}")
    return document


def _headers(table: _Table) -> dict[str, str]:
    for name in table.values:
        if name not in HEADERS:
            raise table.invalid(name, f"cannot be set{nearest(name, HEADERS)}")
        value = table.text(name)
        if value and HEADERS[name] and value not in HEADERS[name]:
            raise table.invalid(name, f"{value!r} is none of {', '.join(HEADERS[name])}")
        if not value.isprintable() or not value.isascii():
            raise table.invalid(name, "takes one line of ASCII")
    return {name: value for name, value in table.values.items() if value}


# TLS


class _Rotating(ssl.SSLContext):
    """A context that a server on asyncio keeps, while each connection is made by the latest one.

    Loading into the same context would not do: load_verify_locations only adds, so that a CA taken out would be
    trusted still, and load_cert_chain leaves a certificate of another kind of key where it is.
    """

    latest: ssl.SSLContext

    def wrap_bio(self, *arguments: Any, **more: Any) -> ssl.SSLObject:
        return self.latest.wrap_bio(*arguments, **more)


class _Serving(ssl.SSLContext):
    """A context that knows which names a client's certificate may bear; None for any."""

    allowed: frozenset[str] | None = None


class _Connection(ssl.SSLObject):
    """A connection that ends with its handshake where the client's certificate bears none of the allowed names."""

    def do_handshake(self) -> None:
        super().do_handshake()
        allowed = getattr(self.context, "allowed", None)
        if allowed is not None and not allowed.intersection(_names(self.getpeercert() or {})):
            raise ssl.SSLCertVerificationError("the client's certificate has none of client_allowed_sans")


_Serving.sslobject_class = _Connection


def _names(certificate: Mapping[str, Any]) -> Iterator[str]:
    """The names a certificate bears, as Go writes them: DNS names, mail and IP addresses, URIs."""
    for kind, name in certificate.get("subjectAltName", ()):
        if kind == "IP Address":
            yield str(ipaddress.ip_address(name.strip()))
        elif kind in ("DNS", "email", "URI"):
            yield name


def _tls_context(table: _Table, files: _Files) -> ssl.SSLContext:
    context = _Serving(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _version(table, "min_version", "TLS12")
    context.maximum_version = _version(table, "max_version", "TLS13")
    _set_suites(table, context)
    if context.minimum_version > context.maximum_version:
        raise table.invalid("min_version", "nothing is left up to max_version; raise max_version")
    _set_curve(table, context)
    _load_certificate(table, files, context)
    _set_client_auth(table, files, context)
    return context


def _version(table: _Table, key: str, default: str) -> ssl.TLSVersion:
    word = table.text(key) or default
    if word in BROKEN_VERSIONS:
        raise table.invalid(key, f"{word} is broken and OpenSSL speaks it no more; write TLS12 or TLS13")
    if word not in VERSIONS:
        raise table.invalid(key, f"{word!r} is none of {', '.join(VERSIONS)}")
    return VERSIONS[word]


def _set_suites(table: _Table, context: ssl.SSLContext) -> None:
    """As in Go: the list is for TLS up to 1.2, in the order of preference; those of TLS 1.3 are always there."""
    if not table.boolean("prefer_server_cipher_suites", default=True):
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    names = table.texts("cipher_suites")
    for name in names:
        if name not in SUITES and name not in SUITES_13:
            close = nearest(name, (*SUITES, *SUITES_13))
            raise table.invalid("cipher_suites", f"{name} is none of those that Go calls secure{close}")
    wanted = [SUITES[name] for name in names if name in SUITES]
    if names and not wanted:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    if wanted:
        with contextlib.suppress(ssl.SSLError):
            context.set_ciphers(":".join(wanted))
        lacking = set(wanted) - {suite["name"] for suite in context.get_ciphers()}
        if lacking:
            raise table.invalid("cipher_suites", f"this OpenSSL has no {', '.join(sorted(lacking))}; leave it out")


def _set_curve(table: _Table, context: ssl.SSLContext) -> None:
    curves = table.texts("curve_preferences")
    for curve in curves:
        if curve not in CURVES:
            raise table.invalid("curve_preferences", f"{curve} is none of {', '.join(CURVES)}")
    if len(curves) > 1:
        raise table.invalid("curve_preferences", "Python's ssl takes one curve only; name one, or none for all")
    if curves:
        try:
            context.set_ecdh_curve(CURVES[curves[0]])
        except (ValueError, ssl.SSLError):
            raise table.invalid("curve_preferences", f"this OpenSSL has no {curves[0]}; name another") from None


def _one_of(table: _Table, inline: str, file: str, files: _Files) -> bytes:
    """What stands in the file itself, or in one that it names; nothing where neither is there."""
    if table.text(inline) and table.text(file):
        raise table.invalid(inline, f"stands beside {file}; leave one out")
    if table.text(file):
        return files.read(f"{table.where}.{file}", table.text(file), files.directory)
    return table.text(inline).encode()


def _load_certificate(table: _Table, files: _Files, context: ssl.SSLContext) -> None:
    certificate = _one_of(table, "cert", "cert_file", files)
    key = _one_of(table, "key", "key_file", files)
    for name, data in (("cert_file", certificate), ("key_file", key)):
        if not data:
            raise table.invalid(name, f"is missing or empty; name a PEM file, or write {name[:-5]} with the PEM itself")
    try:
        with _in_memory(certificate) as certificate_path, _in_memory(key) as key_path:
            context.load_cert_chain(certificate_path, key_path, _no_password)
    except _Encrypted:
        raise table.invalid("key_file", "the key is encrypted and nobody is there to ask; decrypt it") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise table.invalid("key_file", "is not the key of cert_file; write both") from None
        said = f" ({error.reason})" if error.reason else ""
        raise table.invalid("cert_file", f"OpenSSL cannot use it with key_file{said}; both are to be PEM") from None


class _Encrypted(Exception):  # noqa: N818 - the name says what happened
    """OpenSSL asks for the password of a key."""


def _no_password() -> str:
    raise _Encrypted  # or OpenSSL would ask on the terminal


@contextlib.contextmanager
def _in_memory(data: bytes) -> Iterator[str]:
    """A path to data that never is on a disk, since load_cert_chain takes paths only."""
    with os.fdopen(os.memfd_create("pem"), "wb") as file:
        file.write(data)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def _set_client_auth(table: _Table, files: _Files, context: _Serving) -> None:
    kind = table.text("client_auth_type") or "NoClientCert"
    if kind in UNVERIFIED:
        wrong = f"{kind} takes certificates of anybody, which Python's ssl cannot; write RequireAndVerifyClientCert"
        raise table.invalid("client_auth_type", wrong)
    if kind not in CLIENT_AUTH:
        raise table.invalid("client_auth_type", f"{kind!r} is none of {', '.join(CLIENT_AUTH)}")
    authorities = _one_of(table, "client_ca", "client_ca_file", files)
    names = table.texts("client_allowed_sans")
    if names and kind != "RequireAndVerifyClientCert":
        raise table.invalid("client_allowed_sans", "needs client_auth_type: RequireAndVerifyClientCert")
    if bool(authorities) != (kind != "NoClientCert"):
        needs = "needs client_auth_type: RequireAndVerifyClientCert"
        raise table.invalid("client_ca_file", needs if authorities else f"is missing or empty, and {kind} needs it")
    context.verify_mode = CLIENT_AUTH[kind]
    context.allowed = frozenset(names) if names else None
    if authorities:
        context.verify_flags |= PARTIAL_CHAIN
        try:
            with _in_memory(authorities) as path:
                context.load_verify_locations(path)
        except ssl.SSLError:
            raise table.invalid("client_ca_file", "has no certificate that OpenSSL can read; it is to be PEM") from None


# Users and the rate


class _Users:
    """Names with their bcrypt hashes, and the pairs that were verified since, as keyed hashes.

    bcrypt takes 50 ms to 300 ms by design. One thread does it, so that wrong passwords never take more than one core.
    """

    def __init__(self, hashes: Mapping[bytes, bytes]) -> None:
        self.hashes = hashes
        self.computed = 0
        self._stand_ins = list(hashes.values())
        self._secret = secrets.token_bytes(32)
        self._known: set[bytes] = set()
        self._thread = ThreadPoolExecutor(1, "bcrypt")

    def same_as(self, other: _Users | None) -> bool:
        """Whether these are the same users."""
        return other is not None and other.hashes == self.hashes

    async def admit(self, authorization: str | None) -> bool:
        """Whether the header names a user and the right password."""
        name, colon, password = _basic(authorization).partition(b":")
        if not colon:
            return False
        password = password[:LONGEST_PASSWORD]
        pair = self._keyed(len(name).to_bytes(4, "big") + name + password)
        if pair in self._known:
            return True
        loop = asyncio.get_running_loop()
        right = await loop.run_in_executor(self._thread, self._compare, name, password)
        if right and len(self._known) < MOST_KNOWN:
            self._known.add(pair)
        return right

    def _keyed(self, data: bytes) -> bytes:
        return hmac.digest(self._secret, data, "sha256")

    def _compare(self, name: bytes, password: bytes) -> bool:
        self.computed += 1
        right = bcrypt.checkpw(password, self.hash_for(name))
        return right and name in self.hashes

    def hash_for(self, name: bytes) -> bytes:
        """What a password is compared with: the user's hash, and for an unknown name always the same user's.

        So the time tells nothing of who is a user, whatever the costs of the hashes are.
        """
        number = int.from_bytes(self._keyed(name)[:8], "big")
        return self.hashes.get(name) or self._stand_ins[number % len(self._stand_ins)]


def _basic(authorization: str | None) -> bytes:
    """`user:password` from a header; nothing from anything else."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(token.strip().encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return b""


def _users(table: _Table) -> _Users | None:
    hashes = {}
    for name in table.values:
        if ":" in name:
            raise table.invalid(name, "a name with a colon can never log in; leave it out")
        if not HASH.fullmatch(table.text(name)):
            raise table.invalid(name, "is no bcrypt hash ($2y$10$…); make one with htpasswd -nBC 10 NAME")
        hashes[name.encode()] = table.text(name).encode()
    return _Users(hashes) if hashes else None


class _Rate:
    """A token bucket: `burst` requests at once, and one more each `interval` seconds."""

    def __init__(self, interval: float, burst: int) -> None:
        self.interval = interval
        self.burst = burst
        self._tokens = float(burst)
        self._at = time.monotonic()

    def same_as(self, other: _Rate | None) -> bool:
        """Whether it is the same rate."""
        return other is not None and (other.interval, other.burst) == (self.interval, self.burst)

    def take(self, now: float) -> bool:
        """Whether there was a token at this monotonic time, which is now gone."""
        self._tokens = min(float(self.burst), self._tokens + (now - self._at) / self.interval)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def _rate(table: _Table) -> _Rate | None:
    table.refuse_unknown(("interval", "burst"))
    text = table.text("interval") or "0"
    parts = GO_DURATION.findall(text)
    if text != "0" and "".join(number + unit for number, unit in parts) != text:
        raise table.invalid("interval", f"{text!r} is no duration; write 1s or 500ms, or 0 for no limit")
    interval = sum(float(number) * GO_UNITS[unit] for number, unit in parts)
    burst = table.text("burst") or "0"
    if not (burst.isascii() and burst.isdigit() and len(burst) < 10):
        raise table.invalid("burst", f"{burst!r} is not a whole number")
    if interval and int(burst) < 1:
        raise table.invalid("burst", "no request would ever be answered; write 1 or more")
    return _Rate(interval, int(burst)) if interval else None
