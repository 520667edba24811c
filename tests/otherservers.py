"""Real servers of FTP and XMPP, Debian's vsftpd and prosody, each with TLS or without."""

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

VSFTPD = shutil.which("vsftpd", path="/usr/sbin:/usr/bin:/sbin")
PROSODY = shutil.which("prosody", path="/usr/bin:/bin")
OF_VSFTPD = """
listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=YES
seccomp_sandbox=NO
secure_chroot_dir={directory}/empty
vsftpd_log_file={directory}/log
ssl_enable={secure}
rsa_cert_file={directory}/certificate.pem
rsa_private_key_file={directory}/key.pem
"""
OF_PROSODY = """
run_as_root = true
daemonize = false
c2s_require_encryption = false
pidfile = "{directory}/pid"
data_path = "{directory}"
certificates = "{directory}"
modules_enabled = {{ "saslauth"{secure} }}
modules_disabled = {{ "s2s" }}
c2s_interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
log = {{ info = "{directory}/log" }}
VirtualHost "localhost"
  ssl = {{ certificate = "{directory}/certificate.pem", key = "{directory}/key.pem" }}
"""


@contextmanager
def ftp(directory: Path, authority: trustme.CA | None = None) -> Iterator[int]:
    """An FTP server on 127.0.0.1, and its port; with an authority it offers TLS, as localhost."""
    assert VSFTPD, "install vsftpd"
    port = free_port()
    prepare(directory, authority)
    (directory / "empty").mkdir()
    file = directory / "vsftpd.conf"
    file.write_text(OF_VSFTPD.format(port=port, directory=directory, secure="YES" if authority else "NO"))
    with running([VSFTPD, str(file)], port, b"220", directory):
        yield port


@contextmanager
def xmpp(directory: Path, authority: trustme.CA | None = None) -> Iterator[int]:
    """An XMPP server on 127.0.0.1, and its port; with an authority it offers TLS, as localhost."""
    assert PROSODY, "install prosody"
    port = free_port()
    prepare(directory, authority)
    file = directory / "prosody.cfg.lua"
    file.write_text(OF_PROSODY.format(port=port, directory=directory, secure=', "tls"' if authority else ""))
    with running([PROSODY, "-F", "--config", str(file)], port, b"", directory):
        yield port


def prepare(directory: Path, authority: trustme.CA | None) -> None:
    directory.mkdir(parents=True)
    if authority is not None:
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(directory / "certificate.pem")
        issued.private_key_pem.write_to_path(directory / "key.pem")


@contextmanager
def running(words: list[str], port: int, greeting: bytes, directory: Path) -> Iterator[None]:
    """The server, once it greets."""
    with (directory / "out").open("wb") as out:
        process = subprocess.Popen(["setpriv", "--pdeathsig=KILL", *words], stdout=out, stderr=out)
    try:
        await_greeting(process, port, greeting, directory / "out")
        yield
    finally:
        process.kill()
        process.wait(PATIENCE)
