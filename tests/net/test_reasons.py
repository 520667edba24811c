"""Errors in words: no name of Python's or OpenSSL's reaches a person."""

from __future__ import annotations

import _ssl
import errno
import os
import ssl

import pytest

from hachecks.net import reasons
from hachecks.verdict import KINDS, CannotLook
from tests.contracts import names_of_a_programmer

NAMES = sorted(set(_ssl.err_codes_to_names.values()))


class Said(ssl.SSLError):
    """An error of OpenSSL's with this name."""

    def __init__(self, name: str) -> None:
        super().__init__(1, f"[SSL: {name}] {name.lower().replace('_', ' ')} (_ssl.c:1007)")
        self.reason = name


@pytest.mark.parametrize("code", sorted(errno.errorcode))
def test_an_error_of_the_system_is_told_in_its_words(code: int) -> None:
    told = reasons.explained(OSError(code, os.strerror(code)), "it", "be reached")
    assert told.kind in KINDS
    assert not names_of_a_programmer(str(told)), told
    assert isinstance(told, CannotLook) == (code in reasons.OURS)


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        (errno.ECONNREFUSED, "refused", "it refused the connection"),
        (errno.ENOENT, "refused", "it does not exist"),
        (errno.ECONNRESET, "protocol", "it reset the connection"),
        (errno.ENOTCONN, "protocol", "it reset the connection"),
        (errno.ECONNABORTED, "protocol", "it broke off the connection"),
        (errno.EPIPE, "protocol", "it closed the connection"),
        (errno.EHOSTUNREACH, "unreachable", "it cannot be reached: no route to host"),
        (errno.ENETUNREACH, "unreachable", "it cannot be reached: no route to its network"),
        (errno.ETIMEDOUT, "timeout", "it cannot be reached: Connection timed out"),
        (errno.EACCES, "config", "it cannot be reached: Permission denied"),
        (errno.EMFILE, "internal", "it cannot be reached: Too many open files"),
    ],
)
def test_each_kind_of_error_has_its_sentence(code: int, kind: str, told: str) -> None:
    reason = reasons.explained(OSError(code, os.strerror(code)), "it", "be reached")
    assert (reason.kind, str(reason)) == (kind, told)


def test_the_table_holds_nothing_that_is_told_otherwise() -> None:
    assert not reasons.OF_THE_SYSTEM.keys() & reasons.OURS.keys()


@pytest.mark.parametrize("name", NAMES)
def test_an_error_of_openssl_is_told_in_words(name: str) -> None:
    for error in (Said(name), OSError(1, f"[SSL] {name.lower().replace('_', ' ')} (_ssl.c:4149)")):
        told = reasons.of_tls(error)
        assert told
        assert not names_of_a_programmer(told), told


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "it refuses the handshake: no cipher in common, or no client certificate"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "it wants a client certificate (--cert-file)"),
        ("TLSV1_ALERT_UNKNOWN_CA", "it does not trust the issuer of the client certificate"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "it speaks no version of TLS that is allowed"),
        ("TLSV1_UNRECOGNIZED_NAME", "it does not serve that name (--server-name)"),
        ("TLSV1_ALERT_USER_CANCELLED", "it ended the handshake with the alert 'user cancelled'"),
        ("WRONG_VERSION_NUMBER", "what it answered is not TLS"),
        ("UNEXPECTED_EOF_WHILE_READING", "it hung up in the middle"),
    ],
)
def test_what_a_server_says_in_tls_has_its_sentence(said: str, told: str) -> None:
    assert reasons.of_tls(Said(said)).startswith(told)
