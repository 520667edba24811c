"""The cipher suites and the curve of `tls_server_config`: Go's names, and what OpenSSL makes of them."""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING

from hachecks.config import nearest

if TYPE_CHECKING:
    from hachecks.exporter.web_config.file import Table

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
"""Go's names of the curves, and OpenSSL's."""


def set_suites(table: Table, context: ssl.SSLContext) -> None:
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


def set_curve(table: Table, context: ssl.SSLContext) -> None:
    """The one curve that `curve_preferences` names, or all; raises `Invalid`."""
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
