"""What the operating system, OpenSSL and Python say of an error, in words: the one table of reasons.

Only what has failed imports it.
"""

from __future__ import annotations

import errno

from hachecks.verdict import CannotLook, Failure

OF_THE_SYSTEM = {
    errno.ECONNREFUSED: ("refused", "{} refused the connection"),
    errno.ENOENT: ("refused", "{} does not exist"),
    errno.ECONNRESET: ("protocol", "{} reset the connection"),
    errno.ENOTCONN: ("protocol", "{} reset the connection"),  # what a reset leaves when something else has read it
    errno.ECONNABORTED: ("protocol", "{} broke off the connection"),
    errno.EPIPE: ("protocol", "{} closed the connection"),
    errno.EHOSTUNREACH: ("unreachable", "{} cannot be reached: no route to host"),
    errno.ENETUNREACH: ("unreachable", "{} cannot be reached: no route to its network"),
}
OURS = {
    errno.EACCES: "config",
    errno.EADDRNOTAVAIL: "config",
    errno.EMFILE: "internal",
    errno.ENFILE: "internal",
    errno.ENOBUFS: "internal",
    errno.ENOMEM: "internal",
}
"""Errors that say nothing of the target: this node may not, or has too little of something."""

NO_TLS = "what it answered is not TLS"
OTHER_VERSION = "it speaks no version of TLS that is allowed (--tls-min, --tls-max)"
HUNG_UP = "it hung up in the middle"
OLD_AND_WEAK = "is too weak for this node's OpenSSL"
OF_TLS = {
    "WRONG_VERSION_NUMBER": NO_TLS,
    "RECORD_LAYER_FAILURE": NO_TLS,
    "PACKET_LENGTH_TOO_LONG": NO_TLS,
    "HTTP_REQUEST": NO_TLS,
    "UNKNOWN_PROTOCOL": NO_TLS,
    "BAD_RECORD_TYPE": NO_TLS,
    "UNEXPECTED_MESSAGE": "it sent something else than the handshake asks for",
    "UNSUPPORTED_PROTOCOL": OTHER_VERSION,
    "WRONG_SSL_VERSION": OTHER_VERSION,
    "NO_PROTOCOLS_AVAILABLE": "this node's OpenSSL speaks no version of TLS that is allowed (--tls-min, --tls-max)",
    "UNEXPECTED_EOF_WHILE_READING": HUNG_UP,
    "EOF_OCCURRED_IN_VIOLATION_OF_PROTOCOL": HUNG_UP,
    "TLS/SSL_CONNECTION_HAS_BEEN_CLOSED": "it ended the session",
    "DH_KEY_TOO_SMALL": f"its Diffie-Hellman key {OLD_AND_WEAK}",
    "EE_KEY_TOO_SMALL": f"the certificate's key {OLD_AND_WEAK}",
    "CA_KEY_TOO_SMALL": f"the issuer's key {OLD_AND_WEAK}",
    "CA_MD_TOO_WEAK": f"the certificate's signature {OLD_AND_WEAK}",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": "it knows no secure renegotiation, without which OpenSSL does not go on",
    "BAD_SIGNATURE": "its signature is wrong",
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": "what it sent was damaged on the way",
    "NO_CERTIFICATE_OR_CRL_FOUND": "there is no certificate in it (PEM)",
    "NO_START_LINE": "there is no certificate in it (PEM)",
    "PEM_LIB": "it holds no certificate or no key (PEM), or no whole one",
    "KEY_VALUES_MISMATCH": "the key is not the certificate's",
    "KEY_TYPE_MISMATCH": "the key is not the certificate's",
}
ALERTS = {
    "HANDSHAKE_FAILURE": "it refuses the handshake: no cipher in common, or no client certificate (--cert-file)",
    "PROTOCOL_VERSION": OTHER_VERSION,
    "INSUFFICIENT_SECURITY": "it wants stronger ciphers",
    "CERTIFICATE_REQUIRED": "it wants a client certificate (--cert-file)",
    "UNKNOWN_CA": "it does not trust the issuer of the client certificate",
    "BAD_CERTIFICATE": "it refuses the client certificate",
    "UNSUPPORTED_CERTIFICATE": "it refuses the client certificate: one of another kind is wanted",
    "CERTIFICATE_REVOKED": "it refuses the client certificate: it is revoked",
    "CERTIFICATE_EXPIRED": "it refuses the client certificate: it has expired",
    "CERTIFICATE_UNKNOWN": "it refuses the client certificate",
    "ACCESS_DENIED": "it refuses the client certificate: access denied",
    "UNRECOGNIZED_NAME": "it does not serve that name (--server-name)",
    "NO_APPLICATION_PROTOCOL": "it speaks none of the protocols that are offered (ALPN)",
    "INTERNAL_ERROR": "it had an internal error",
}
"""By the name of the alert with which a server ends a handshake (RFC 8446, section 6.2)."""

OLD_PREFIXES = ("SSLV3_", "TLSV13_", "TLSV1_3_", "TLSV1_")
ALERTS_WITHOUT_THE_WORD = {"UNRECOGNIZED_NAME", "UNSUPPORTED_EXTENSION", "CERTIFICATE_UNOBTAINABLE"}


def explained(error: OSError, where: str, what: str) -> Failure | CannotLook:
    """The error as a reason, and as our inability where it is ours; `what` is what cannot be done with `where`."""
    if type(error).__name__.startswith("SSL"):  # its errno is not the operating system's
        return Failure(f"{where}: TLS failed: {of_tls(error)}", "tls")
    code = error.errno or 0
    if code in OF_THE_SYSTEM:
        kind, text = OF_THE_SYSTEM[code]
        return Failure(text.format(where), kind)
    told = f"{where} cannot {what}: {of_the_system(error)}"
    if code in OURS:
        return CannotLook(told, OURS[code])
    return Failure(told, "timeout" if code == errno.ETIMEDOUT else "unreachable")


def unexpected(where: str, got: bytes, expected: str) -> Failure:
    """What came instead of what was expected; nothing is the end of the connection."""
    told = f"answered {got[:60].decode('ascii', 'replace')!r}" if got else "closed the connection"
    return Failure(f"{where} {told} instead of {expected}", "protocol")


def of_the_system(error: OSError) -> str:
    """The operating system's words, without Python's."""
    return error.strerror or _without_the_place(str(error)) or "no reason is known"


def of_a_file(error: OSError | ValueError) -> str:
    """Why a file of certificates or keys cannot be used."""
    if isinstance(error, OSError) and type(error).__name__.startswith("SSL"):
        return of_tls(error)
    return of_the_system(error) if isinstance(error, OSError) else str(error)


def of_tls(error: OSError) -> str:
    """What went wrong in TLS."""
    verified = getattr(error, "verify_message", None)
    if verified:
        return str(verified).replace("self signed", "self-signed")  # as OpenSSL 3 says it
    said = getattr(error, "reason", None) or _without_the_place(error.strerror or str(error))
    name = said.upper().replace(" ", "_")
    prefix = next((prefix for prefix in OLD_PREFIXES if name.startswith(prefix)), "")
    name = name[len(prefix) :]
    alert = name[len("ALERT_") :] if name.startswith("ALERT_") else name if name in ALERTS_WITHOUT_THE_WORD else ""
    if alert:
        return ALERTS.get(alert, f"it ended the handshake with the alert {_words(alert)!r}")
    return OF_TLS.get(name, _words(name))


def _without_the_place(text: str) -> str:
    """What stands between `[SSL: NAME]` and `(_ssl.c:1007)`."""
    text = text.partition("] ")[2] or text if text.startswith("[") else text
    return text.partition(" (")[0]


def _words(name: str) -> str:
    return name.replace("_", " ").lower().replace("ssl", "SSL").replace("tls", "TLS")
