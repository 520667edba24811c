"""How is a TLS connection made and judged? The TLS options, and the one way to a context.

`ssl` is imported by the functions that need it: it costs 30 M instructions, which a plain TCP check does not owe.
"""

from __future__ import annotations

import time

from hachecks.settings import option, settings
from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Literal

    from hachecks.transport import Stream

SECONDS_A_DAY = 86400


@settings
class TlsOptions:
    """TLS, the same wherever it is spoken."""

    heading = "TLS"

    ca_file: str | None = option(
        default=None, metavar="FILE", help="Trust the certificates in this file, not the system's."
    )
    cert_file: str | None = option(default=None, metavar="FILE", help="Present this client certificate (PEM).")
    key_file: str | None = option(
        default=None, metavar="FILE", help="The client certificate's key, if it has its own file."
    )
    server_name: str | None = option(default=None, metavar="NAME", help="Ask for this name (SNI) and expect it.")
    tls_min: Literal["1.0", "1.1", "1.2", "1.3"] | None = option(default=None, help="Refuse older versions of TLS.")
    tls_max: Literal["1.0", "1.1", "1.2", "1.3"] | None = option(default=None, help="Refuse newer versions of TLS.")
    verify: bool = option(default=True, help="Accept any certificate, whoever signed it.")
    min_days_left: int | None = option(default=None, metavar="DAYS", help="FAIL when the certificate expires earlier.")

    def validate_tls(self, spoken: bool, how: str) -> None:
        """Refuse TLS options where no TLS is spoken (`how` says how it would be), and what contradicts itself."""
        given = [s.changing_flag for s in TlsOptions.__settings__.values() if getattr(self, s.name) != s.default]  # type: ignore[attr-defined]
        if given and not spoken:
            raise ValueError(f"{given[0]} needs TLS ({how})")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("--key-file needs --cert-file")
        if self.min_days_left is not None and not self.verify:
            raise ValueError("--min-days-left needs a verified certificate; drop --no-verify")

    def context(self) -> ssl.SSLContext:
        """The context for these options; raises `CannotLook` when a file cannot be used."""
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.tls_min is not None:
            context.minimum_version = ssl.TLSVersion[f"TLSv{self.tls_min}".replace(".", "_")]
        if self.tls_max is not None:
            context.maximum_version = ssl.TLSVersion[f"TLSv{self.tls_max}".replace(".", "_")]
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        try:
            self._load(context)
        except (OSError, ValueError) as error:
            raise CannotLook(f"cannot use {self._files()}: {getattr(error, 'strerror', None) or error}") from None
        return context

    def _load(self, context: ssl.SSLContext) -> None:
        if self.verify and self.ca_file is not None:
            context.load_verify_locations(self.ca_file)
        elif self.verify:
            context.load_default_certs()
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file)

    def _files(self) -> str:
        named = [name for name in (self.ca_file, self.cert_file, self.key_file) if name]
        return " and ".join(named) or "the system's certificates"

    def judge_certificate(self, stream: Stream) -> dict[str, float]:
        """The days the server's certificate has left, measured; raises `Failure` when they are too few."""
        import ssl

        certificate = stream.sock.getpeercert() if isinstance(stream.sock, ssl.SSLSocket) else None
        if not certificate:
            return {}
        left = ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()
        days = left / SECONDS_A_DAY
        if self.min_days_left is not None and days < self.min_days_left:
            told = f"the certificate expires in {days:.1f} days, wanted are {self.min_days_left}"
            raise Failure(f"{stream.where}: {told}", "tls")
        return {"certificate_expires_seconds": left}
