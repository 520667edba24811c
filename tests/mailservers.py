"""Real mail servers: aiosmtpd for SMTP, Debian's dovecot for the others, each with TLS or without."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP

from tests.ports import free_port

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    import trustme

DOVECOT = shutil.which("dovecot", path="/usr/sbin:/usr/bin:/sbin")
PATIENCE = 60
CONFIGURATION = """
protocols = imap pop3 lmtp sieve
listen = 127.0.0.1
base_dir = {directory}/run
state_dir = {directory}/state
instance_name = {directory}
log_path = {directory}/log
ssl = {ssl}
disable_plaintext_auth = no
{users}
passdb {{
  driver = static
  args = nopassword=y
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service managesieve-login {{
  chroot =
  inet_listener sieve {{
    port = {sieve}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
"""
CERTIFICATE = """
ssl_cert = <{directory}/certificate.pem
ssl_key = <{directory}/key.pem
"""
OWN_USER = """
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {user}
"""


@contextmanager
def smtp(context: ssl.SSLContext | None = None, **options: Any) -> Iterator[int]:
    """An SMTP server on 127.0.0.1, and its port; with a context it offers STARTTLS. Options are aiosmtpd's."""
    loop = asyncio.new_event_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    server = loop.run_until_complete(
        loop.create_server(lambda: SMTP(Sink(), tls_context=context, loop=loop, **options), sock=listener)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_ended(server), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


async def _ended(server: asyncio.Server) -> None:
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def dovecot(directory: Path, authority: trustme.CA | None = None) -> Iterator[dict[str, int]]:
    """Dovecot on 127.0.0.1, and its port for each protocol; with an authority it offers STARTTLS, as localhost."""
    assert DOVECOT, "install dovecot-imapd"
    ports = {name: free_port() for name in ("imap", "lmtp", "pop3", "sieve")}
    directory.mkdir(parents=True)
    certificate = ""
    if authority is not None:
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(directory / "certificate.pem")
        issued.private_key_pem.write_to_path(directory / "key.pem")
        certificate = CERTIFICATE.format(directory=directory)
    users = "" if os.geteuid() == 0 else OWN_USER.format(user=getpass.getuser())
    text = CONFIGURATION.format(directory=directory, ssl="yes" if authority else "no", users=users, **ports)
    (directory / "dovecot.conf").write_text(text + certificate)
    words = ["setpriv", "--pdeathsig=TERM", DOVECOT, "-F", "-c", str(directory / "dovecot.conf")]
    process = subprocess.Popen(words)
    try:
        for name, greeting in {"imap": b"* OK", "pop3": b"+OK", "lmtp": b"220", "sieve": b'"'}.items():
            await_greeting(process, ports[name], greeting, directory / "log")
        yield ports
    finally:
        process.terminate()
        process.wait(PATIENCE)


def await_greeting(process: subprocess.Popen[bytes], port: int, greeting: bytes, log: Path) -> None:
    """Wait until the server says so; an empty greeting is met by a connection."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as connection:
                if connection.recv(len(greeting)) == greeting:
                    return
        except OSError:
            time.sleep(0.02)
        told = log.read_text() if log.exists() else ""
        assert process.poll() is None, told
        assert time.monotonic() < until, told
