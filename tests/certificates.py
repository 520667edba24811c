"""Certificates of every kind that a test wants: chains, ends, names, encrypted keys."""

from __future__ import annotations

import datetime
import itertools
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = itertools.count(1000)
NOW = datetime.datetime.now(datetime.timezone.utc)


class Issued:
    """A certificate, its key, and who issued it."""

    def __init__(
        self,
        name: str,
        issuer: Issued | None = None,
        *,
        names: tuple[str, ...] = (),
        is_ca: bool = False,
        ends: datetime.datetime = NOW + datetime.timedelta(days=30),
        begins: datetime.datetime = NOW - datetime.timedelta(days=1),
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.issuer = issuer
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(issuer.subject if issuer else self.subject)
            .public_key(self.key.public_key())
            .serial_number(next(NUMBERS))
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False)
        self.certificate = builder.sign(issuer.key if issuer else self.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def key_pem(self, password: str = "") -> str:
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password:
            encryption = serialization.BestAvailableEncryption(password.encode())
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()

    def write(self, directory: Path, name: str, *others: Issued, password: str = "") -> tuple[str, str]:
        """Write it, with others behind it, and its key; returns the two paths."""
        certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
        certificate.write_text("".join(issued.pem for issued in (self, *others)))
        key.write_text(self.key_pem(password))
        return str(certificate), str(key)
