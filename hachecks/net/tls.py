"""The TLS options, the one way to a context, and how long certificates may last.

`ssl` is imported by the functions that need it: it costs 30 M instructions, which a plain TCP check does not owe.
"""

from __future__ import annotations

import time

from hachecks.settings import option, settings
from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import Literal

    from hachecks.net.transport import Stream

    TlsContext = ssl.SSLContext

DAY_SECONDS = 86400
MAX_PASSWORD_BYTES = 1024
"""Bytes that OpenSSL takes."""
VERSIONS = {"1.0": "TLSv1", "1.1": "TLSv1_1", "1.2": "TLSv1_2", "1.3": "TLSv1_3"}
OLD = {"1.0", "1.1"}
VERIFY_X509_PARTIAL_CHAIN = 0x80000
"""Whatever certificate is trusted ends a chain, as curl and openssl have it; Python has no name for it before 3.10."""


@settings
class TlsOptions:
    """TLS, the same wherever it is spoken."""

    heading = "TLS"

    ca_file: str | None = option(
        default=None,
        metavar="FILE",
        help="Trust the certificates in this file, not the system's: roots, intermediates, or the server's own.",
    )
    cert_file: str | None = option(default=None, metavar="FILE", help="Present this client certificate (PEM).")
    key_file: str | None = option(
        default=None, metavar="FILE", help="The client certificate's key, if it has its own file."
    )
    key_password_file: str | None = option(
        default=None, metavar="FILE", help="The file with the password of an encrypted key."
    )
    server_name: str | None = option(default=None, metavar="NAME", help="Ask for this name (SNI) and expect it.")
    tls_min: Literal["1.0", "1.1", "1.2", "1.3"] | None = option(
        default=None, help="Refuse older versions of TLS; 1.0 and 1.1 bring OpenSSL's weakest ciphers along."
    )
    tls_max: Literal["1.0", "1.1", "1.2", "1.3"] | None = option(default=None, help="Refuse newer versions of TLS.")
    verify: bool = option(default=True, help="Accept any certificate, whoever signed it.")
    min_days_left: int | None = option(
        default=None, metavar="DAYS", help="FAIL when a certificate that the server sends expires earlier."
    )

    def validate_tls(self, spoken: bool, how: str) -> None:
        """Refuse TLS options where no TLS is spoken (`how` says how it would be), and what contradicts itself."""
        given = [s.changing_flag for s in TlsOptions.__settings__.values() if getattr(self, s.name) != s.default]  # type: ignore[attr-defined]
        if given and not spoken:
            raise ValueError(f"{given[0]} needs TLS ({how})")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("--key-file needs --cert-file")
        if self.key_password_file is not None and self.cert_file is None:
            raise ValueError("--key-password-file needs --cert-file")
        if self.tls_min is not None and self.tls_max is not None and self.tls_min > self.tls_max:
            raise ValueError(f"--tls-min {self.tls_min} is above --tls-max {self.tls_max}")
        if self.min_days_left is not None and not self.verify:
            raise ValueError("--min-days-left needs a verified certificate; drop --no-verify")

    def context(self) -> ssl.SSLContext:
        """The context for these options; raises `CannotLook` when a file cannot be used."""
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.hostname_checks_common_name = False  # browsers and Go do not either (RFC 9525)
        self._limit_versions(context)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.ca_file is not None:
            self._load(self.ca_file, lambda: context.load_verify_locations(self.ca_file))
            context.verify_flags |= VERIFY_X509_PARTIAL_CHAIN
        else:
            self._load("the system's certificates", context.load_default_certs)
        if self.cert_file is not None:
            self._load_own(context, self.cert_file)
        return context

    def _limit_versions(self, context: ssl.SSLContext) -> None:
        from ssl import TLSVersion

        if self.tls_min is not None:
            context.minimum_version = TLSVersion[VERSIONS[self.tls_min]]
        if self.tls_max is not None:
            if self.tls_min is None and self.tls_max in OLD:  # Python's own minimum is above it
                context.minimum_version = TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = TLSVersion[VERSIONS[self.tls_max]]
        if OLD & {self.tls_min, self.tls_max}:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")  # OpenSSL 3 speaks them at no other level

    def _load_own(self, context: ssl.SSLContext, cert_file: str) -> None:
        """Load the client certificate; OpenSSL would ask the terminal for the password of its key."""
        password = None if self.key_password_file is None else _password(self.key_password_file)
        key_file = self.key_file or cert_file

        was_told = False

        def told() -> bytes:
            nonlocal was_told
            was_told = True
            if password is None:
                raise CannotLook(f"the key in {key_file} is encrypted; name its password's file by --key-password-file")
            return password

        files = cert_file if self.key_file is None else f"{cert_file} and {self.key_file}"
        try:
            self._load(files, lambda: context.load_cert_chain(cert_file, self.key_file, told))
        except CannotLook:
            if was_told and password is not None:  # whatever OpenSSL calls it, which differs with the key's form
                raise CannotLook(f"the password in {self.key_password_file} does not open {key_file}") from None
            raise

    def _load(self, what: str, load: Callable[[], None]) -> None:
        try:
            load()
        except (OSError, ValueError) as error:
            from hachecks.net.reasons import of_a_file

            raise CannotLook(f"cannot use {what}: {of_a_file(error)}") from None

    def judge_certificate(self, stream: Stream) -> dict[str, float]:
        """`certificate_expires_seconds`, until the first of the certificates that the server sent ends.

        Nothing is measured where nothing is verified. Raises `Failure` when fewer than `--min-days-left` are left. An
        intermediate may end before the server's own certificate; each one that was sent counts, used or not.
        """
        if stream.handshake is None or not self.verify:
            return {}
        certificates = stream.handshake.certificates(stream.sock)
        if not certificates:
            return {}
        first = min(certificates, key=lambda certificate: certificate.ends)
        left = first.ends - time.time()
        days = left / DAY_SECONDS
        if self.min_days_left is not None and days < self.min_days_left:
            whose = "the certificate" if first is certificates[0] else f"the certificate of its issuer {first.name!r}"
            when = f"expires in {days:.1f} days" if left >= 0 else f"expired {-days:.1f} days ago"
            raise Failure(f"{stream.where}: {whose} {when}, expected at least {self.min_days_left}", "tls")
        return {"certificate_expires_seconds": left}


def _password(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_PASSWORD_BYTES).rstrip(b"\r\n")
    except OSError as error:
        raise CannotLook(f"cannot read {path}: {error.strerror}") from None
