"""A real LDAP server: Debian's slapd, with TLS or without."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.mailservers import PATIENCE, await_greeting
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import trustme

SLAPD = shutil.which("slapd", path="/usr/sbin:/usr/bin:/sbin:/usr/libexec")
TLS = """
TLSCertificateFile {directory}/certificate.pem
TLSCertificateKeyFile {directory}/key.pem
"""


@contextmanager
def ldap(directory: Path, authority: trustme.CA | None = None) -> Iterator[int]:
    """An LDAP server on 127.0.0.1 that holds nothing, and its port; with an authority it offers StartTLS."""
    assert SLAPD, "install slapd"
    port = free_port()
    directory.mkdir(parents=True)
    text = f"pidfile {directory}/pid\n"
    if authority is not None:
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(directory / "certificate.pem")
        issued.private_key_pem.write_to_path(directory / "key.pem")
        text += TLS.format(directory=directory)
    (directory / "slapd.conf").write_text(text)
    words = ["setpriv", "--pdeathsig=TERM", SLAPD, "-d", "0", "-f", str(directory / "slapd.conf")]
    process = subprocess.Popen([*words, "-h", f"ldap://127.0.0.1:{port}"])
    try:
        await_greeting(process, port, b"", directory / "log")
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)
