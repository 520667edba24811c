"""TLS as `tls_server_config` says: certificates and who may connect; what Python's ssl cannot honour is refused."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import ssl
from typing import TYPE_CHECKING

from hachecks.exporter.web_config.ciphers import set_curve, set_suites

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from hachecks.exporter.web_config.file import Files, Table

TLS_KEYS = (
    "cert", "key", "client_ca", "cert_file", "key_file", "client_ca_file", "client_auth_type", "client_allowed_sans",
    "min_version", "max_version", "cipher_suites", "prefer_server_cipher_suites", "curve_preferences",
)  # fmt: skip
VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
BROKEN_VERSIONS = ("TLS10", "TLS11")
CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
UNVERIFIED = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")
# Go takes whatever is in client_ca_file for a root, intermediates too. Python 3.9 has no name for the flag.
PARTIAL_CHAIN = ssl.VerifyFlags(0x80000)


class Rotating(ssl.SSLContext):
    """A context that a server on asyncio keeps, while each connection is made by the latest one.

    Loading into the same context would not do: load_verify_locations only adds, so that a CA taken out would be
    trusted still, and load_cert_chain leaves a certificate of another kind of key where it is.
    """

    latest: ssl.SSLContext

    def wrap_bio(self, *arguments: Any, **more: Any) -> ssl.SSLObject:
        """A connection by the latest context."""
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


def tls_context(table: Table, files: Files) -> ssl.SSLContext:
    """The context that `tls_server_config` asks for; raises `Invalid`."""
    context = _Serving(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _version(table, "min_version", "TLS12")
    context.maximum_version = _version(table, "max_version", "TLS13")
    set_suites(table, context)
    if context.minimum_version > context.maximum_version:
        raise table.invalid("min_version", "nothing is left up to max_version; raise max_version")
    set_curve(table, context)
    _load_certificate(table, files, context)
    _set_client_auth(table, files, context)
    return context


def _version(table: Table, key: str, default: str) -> ssl.TLSVersion:
    word = table.text(key) or default
    if word in BROKEN_VERSIONS:
        raise table.invalid(key, f"{word} is broken and OpenSSL speaks it no more; write TLS12 or TLS13")
    if word not in VERSIONS:
        raise table.invalid(key, f"{word!r} is none of {', '.join(VERSIONS)}")
    return VERSIONS[word]


def _one_of(table: Table, inline: str, file: str, files: Files) -> bytes:
    """What stands in the file itself, or in one that it names; nothing where neither is there."""
    if table.text(inline) and table.text(file):
        raise table.invalid(inline, f"stands beside {file}; leave one out")
    if table.text(file):
        return files.read(f"{table.where}.{file}", table.text(file), files.directory)
    return table.text(inline).encode()


def _load_certificate(table: Table, files: Files, context: ssl.SSLContext) -> None:
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


def _set_client_auth(table: Table, files: Files, context: _Serving) -> None:
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
