"""A real pgbouncer before a PostgreSQL server."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.ports import free_port
from tests.postgresql import give, unprivileged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgresql import PostgreSQL

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
PATIENCE = 10


@contextmanager
def pooler(directory: Path, server: PostgreSQL, mode: str = "session") -> Iterator[int]:
    """The port of a pooler that lets user `trusted` in without a password."""
    assert PROGRAM is not None
    give(directory)
    port = free_port()
    (directory / "users").write_text('"trusted" ""\n')
    (directory / "ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\npool_mode = {mode}\n"
        f"auth_type = trust\nauth_file = {directory}/users\nserver_login_retry = 1\nserver_connect_timeout = 1\n"
        "query_wait_timeout = 1\n"
    )
    with (directory / "log").open("ab") as log:
        words = [*unprivileged(), PROGRAM, str(directory / "ini")]
        process = subprocess.Popen(words, stdout=log, stderr=log, cwd="/")
    try:
        until = time.monotonic() + PATIENCE
        while not listens(port):
            assert process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.02)
        yield port
    finally:
        process.kill()
        process.wait(PATIENCE)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
