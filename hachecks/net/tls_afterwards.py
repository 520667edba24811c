"""TLS whose certificate is verified after the handshake, where breaking that off would be held against the node.

MySQL and MariaDB count a TLS handshake that its client breaks off as a connection error, and block the address of a
client with max_connect_errors of them. So the handshake is finished whatever certificate comes, and OpenSSL verifies
that one afterwards: it is shown a made-up handshake of TLS 1.2, in memory, that presents what the server has sent.
Who presented it has its key, which the real handshake has proved.
"""

from __future__ import annotations

from hachecks.verdict import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Any

    from hachecks.net.tls import TlsOptions
    from hachecks.net.transport import Stream

HANDSHAKE_RECORD, SERVER_HELLO, CERTIFICATE, SERVER_HELLO_DONE = 22, 2, 11, 14
MAX_RECORD_BYTES = 2**14
KEY_EXCHANGES = (b"\xc0\x2f", b"\xc0\x2b")
"""ECDHE-RSA-AES128-GCM-SHA256 and its twin for ECDSA; the other than the certificate's key is for fails."""
OTHER_KEY = "WRONG_CERTIFICATE_TYPE"


def start_tls(stream: Stream, options: TlsOptions, server_name: str) -> None:
    """Continue in TLS, and raise `Failure` when that is not as the options want it, the handshake being done with."""
    import ssl

    from hachecks.net.handshake import sent_certificates

    context = options.context()
    if not options.verify or not hasattr(context, "_msg_callback"):
        stream.start_tls(context, server_name)
        return
    sent = _listen(context)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.options |= ssl.OP_NO_RENEGOTIATION
    if options.tls_min is not None:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    stream.start_tls(context, server_name)
    version = str(stream.sock.version())  # type: ignore[attr-defined]
    if options.tls_min is not None and version < f"TLSv{options.tls_min}":
        raise Failure(f"{stream.where} speaks {version}, expected TLSv{options.tls_min} or newer", "tls")
    context.verify_mode, context.check_hostname = ssl.CERT_REQUIRED, True
    chain = sent_certificates(sent[-1], version == "TLSv1.3") if len(sent) == 1 else []
    if not chain or chain[0] != stream.sock.getpeercert(binary_form=True):  # type: ignore[attr-defined]
        raise Failure(f"{stream.where}: TLS failed: the server's certificate cannot be read", "tls")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    complaints = [_complaint(context, server_name, chain, exchange) for exchange in KEY_EXCHANGES]
    if None not in complaints:
        worst = next((error for error in complaints if error is not None and error.reason != OTHER_KEY), complaints[0])
        stream._within(lambda: _raise(worst))


def _raise(error: ssl.SSLError | None) -> None:
    """Raise it where errors of OpenSSL are put in words."""
    raise error or AssertionError


def _listen(context: ssl.SSLContext) -> list[bytes]:
    """Where the Certificate messages of a context's handshakes will be; CPython has no other ear before 3.13."""
    sent: list[bytes] = []

    def hear(_connection: Any, direction: str, _version: Any, content: Any, kind: Any, data: bytes) -> None:
        if direction == "read" and int(content) == HANDSHAKE_RECORD and int(kind) == CERTIFICATE:
            sent.append(bytes(data))

    context._msg_callback = hear  # type: ignore[attr-defined]
    return sent


def _complaint(context: ssl.SSLContext, server_name: str, chain: list[bytes], exchange: bytes) -> ssl.SSLError | None:
    """What OpenSSL has against a server that presents this chain; nothing if it then waits for the server's key."""
    import ssl

    received = ssl.MemoryBIO()
    client = context.wrap_bio(received, ssl.MemoryBIO(), server_hostname=server_name)
    renegotiation_info = b"\xff\x01\0\x01\0"  # RFC 5746, without which OpenSSL 3 goes no further
    hello = b"\x03\x03" + bytes(32) + b"\0" + exchange + b"\0\0\x05" + renegotiation_info
    presented = _vector(b"".join(_vector(certificate) for certificate in chain))
    try:
        for data in (b"", _message(SERVER_HELLO, hello) + _message(CERTIFICATE, presented)):
            received.write(_records(data))
            try:
                client.do_handshake()
            except ssl.SSLWantReadError:
                pass
    except ssl.SSLError as error:
        return error
    received.write(_records(_message(SERVER_HELLO_DONE, b"")))
    try:
        client.do_handshake()
    except ssl.SSLError as error:  # it has taken the certificate, and wants the key exchange, which only its owner has
        return None if error.reason == "UNEXPECTED_MESSAGE" else error
    return ssl.SSLError("the certificate was not looked at")


def _vector(data: bytes) -> bytes:
    return len(data).to_bytes(3, "big") + data


def _message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + _vector(body)


def _records(data: bytes) -> bytes:
    parts = [data[at : at + MAX_RECORD_BYTES] for at in range(0, len(data), MAX_RECORD_BYTES)]
    return b"".join(bytes([HANDSHAKE_RECORD]) + b"\x03\x03" + len(part).to_bytes(2, "big") + part for part in parts)
