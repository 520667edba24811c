"""A certificate is verified after a handshake that was finished, as strictly as within one."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from hachecks.deadline import Deadline
from hachecks.net import tls_afterwards
from hachecks.net.target import Target
from hachecks.net.tls import TlsOptions
from hachecks.net.transport import NetworkOptions
from hachecks.settings import settings
from hachecks.verdict import Failure
from tests.servers import LONG_PATIENCE, Server

if TYPE_CHECKING:
    import socket
    from pathlib import Path

RSA, ECDSA = trustme.KeyType.RSA, trustme.KeyType.ECDSA
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@settings
class Options(NetworkOptions, TlsOptions):
    """Both kinds of options."""


class Secure(Server):
    """Finishes TLS handshakes, and says a word after them."""

    patience = LONG_PATIENCE

    def __init__(self, certificate: trustme.LeafCert, version: str, leaf_only: bool) -> None:
        super().__init__()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self.context)
        if leaf_only:
            with certificate.private_key_pem.tempfile() as key, certificate.cert_chain_pems[0].tempfile() as leaf:
                self.context.load_cert_chain(leaf, key)
        self.context.maximum_version = VERSIONS[version]
        self.finished: list[str] = []

    def talk(self, connection: socket.socket) -> None:
        with self.context.wrap_socket(connection, server_side=True) as secure:
            self.finished.append(str(secure.version()))
            secure.sendall(b"hello")
            self.hear(secure)


@pytest.fixture(params=[RSA, ECDSA], ids=["rsa", "ecdsa"])
def key(request: pytest.FixtureRequest) -> trustme.KeyType:
    """The kind of key."""
    kind: trustme.KeyType = request.param
    return kind


@pytest.mark.parametrize("version", list(VERSIONS))
@pytest.mark.parametrize(
    ("name", "trusted", "leaf_only", "complaint"),
    [
        pytest.param("db.test", True, False, "", id="good"),
        pytest.param("db.test", False, False, "unable to get local issuer certificate", id="other-authority"),
        pytest.param("db.test", True, True, "unable to get local issuer certificate", id="intermediate-missing"),
        pytest.param("x.test", True, False, "Hostname mismatch", id="other-name"),
        pytest.param("127.0.0.1", True, False, "IP address mismatch", id="address"),
    ],
)
def test_certificate_is_judged_and_the_handshake_finished(
    key: trustme.KeyType, version: str, name: str, trusted: bool, leaf_only: bool, complaint: str, tmp_path: Path
) -> None:
    authority = trustme.CA(key_type=key)
    certificate = authority.create_child_ca(key_type=key).issue_cert("db.test", key_type=key)
    (authority if trusted else trustme.CA()).cert_pem.write_to_path(tmp_path / "ca.pem")
    with Secure(certificate, version, leaf_only) as server:
        options = Options(ca_file=str(tmp_path / "ca.pem"))
        with options.connect(Target("127.0.0.1", server.port), Deadline.after(20)) as stream:
            told = ""
            try:
                tls_afterwards.start_tls(stream, options, name)
            except Failure as failure:
                told = str(failure)
            assert stream.recv(5) == b"hello"
    assert complaint in told
    assert bool(told) == bool(complaint)
    assert server.finished == [f"TLSv{version}"]


def test_older_version_is_refused_after_the_handshake(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Secure(authority.issue_cert("db.test"), "1.2", leaf_only=False) as server:
        options = Options(ca_file=str(tmp_path / "ca.pem"), tls_min="1.3")
        with options.connect(Target("127.0.0.1", server.port), Deadline.after(20)) as stream:
            with pytest.raises(Failure, match=r"speaks TLSv1\.2, expected TLSv1\.3 or newer"):
                tls_afterwards.start_tls(stream, options, "db.test")
            assert stream.recv(5) == b"hello"
    assert server.finished == ["TLSv1.2"]


def test_weak_key_is_refused_as_within_a_handshake(tmp_path: Path) -> None:
    """OpenSSL judges the keys of a chain at the same place as their signatures."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    weak = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "db.test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, weak.public_key(), 1, now, now + datetime.timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("db.test")]), critical=False)
        .sign(weak, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    kind, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    (tmp_path / "ca.pem").write_bytes(pem)
    (tmp_path / "all.pem").write_bytes(weak.private_bytes(serialization.Encoding.PEM, kind, plain) + pem)
    with Secure(trustme.CA().issue_cert("x"), "1.3", leaf_only=False) as server:
        server.context.set_ciphers("DEFAULT:@SECLEVEL=0")
        server.context.load_cert_chain(tmp_path / "all.pem")
        options = Options(ca_file=str(tmp_path / "ca.pem"))
        stream = options.connect(Target("127.0.0.1", server.port), Deadline.after(20))
        with stream, pytest.raises(Failure, match="TLS failed"):
            tls_afterwards.start_tls(stream, options, "db.test")
