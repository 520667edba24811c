"""A real MariaDB: a primary, a replica of it, and a Galera cluster of one node."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ports import free_port
from tests.postgresql import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    import trustme

PROGRAM = shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/usr/libexec") or "mariadbd"
GALERA = next(iter(Path("/usr/lib").glob("**/libgalera_smm.so")), None)
PATIENCE = 30
QUOTED = PASSWORD.replace("\\", "\\\\")
USERS = f"""
create user 'native'@'%' identified by '{QUOTED}';
grant slave monitor, super on *.* to 'native'@'%'; grant select on app.* to 'native'@'%';
create user 'plain'@'%' identified by 'plain'; grant select, insert on app.* to 'plain'@'%';
create user 'tls'@'%' identified by 'tls' require ssl;
create user 'copy'@'%' identified by 'copy'; grant replication slave on *.* to 'copy'@'%';
create user 'nobody'@'%';
create user 'curve'@'%' identified via ed25519 using password('{QUOTED}');
create database app; create table app.beat (at int) engine=innodb; insert into app.beat values (1), (2), (3);
"""


class Idle:
    """A client that logs in and stays."""

    def __init__(self, server: MariaDB, user: str = "nobody") -> None:
        words = ["mariadb", "--no-defaults", f"--socket={server.socket}", f"--user={user}", "--batch", "--unbuffered"]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write("select 1;\n")
            self.process.stdin.flush()
            self.process.stdout.readline()
        except BrokenPipeError:
            pass  # it was not let in

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


class MariaDB:
    """One server, in a directory of its own; `root` comes in by the socket without a password."""

    def __init__(self, directory: Path, number: int = 1) -> None:
        self.directory = directory
        self.number = number
        self.port = free_port()
        self.socket = directory / "socket"
        self.process: subprocess.Popen[bytes] | None = None
        self.options: list[str] = []

    def initialise(self) -> None:
        """Make a new, empty database; the second of a session is a copy of the first."""
        (self.directory / "tmp").mkdir(parents=True, exist_ok=True)
        words = ["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal"]
        words += ["--skip-test-db", f"--datadir={self.directory / 'data'}", "--innodb-log-file-size=4M"]
        words += [f"--tmpdir={self.directory / 'tmp'}"]
        words += ["--user=root"] if os.geteuid() == 0 else []
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, *options: str) -> MariaDB:
        words = ["setpriv", "--pdeathsig=KILL", PROGRAM, "--no-defaults", f"--datadir={self.directory / 'data'}"]
        words += [f"--port={self.port}", f"--socket={self.socket}", f"--pid-file={self.directory / 'pid'}"]
        words += [
            f"--server-id={self.number}",
            "--bind-address=127.0.0.1",
            "--log-bin=binlog",
            "--plugin-load-add=auth_ed25519",
        ]
        words += ["--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0", "--innodb-buffer-pool-size=16M"]
        words += ["--innodb-log-file-size=4M", "--performance-schema=off", "--slave-net-timeout=4"]
        words += [f"--tmpdir={self.directory / 'tmp'}"]
        words += ["--user=root"] if os.geteuid() == 0 else []
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen([*words, *self.options, *options], stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)
        return self

    def client(self, *words: str) -> subprocess.CompletedProcess[str]:
        words = ("mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", "--batch", *words)
        return subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)

    def answers(self) -> bool:
        return self.socket.exists() and self.client("-e", "select 1").returncode == 0

    def sql(self, statement: str) -> str:
        done = self.client("-N", "-e", statement)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)

    def secure(self, authority: trustme.CA) -> None:
        """Let it speak TLS, as localhost, with a certificate of this authority."""
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        certificate.cert_chain_pems[0].write_to_path(self.directory / "server.crt")
        certificate.private_key_pem.write_to_path(self.directory / "server.key")
        self.options += [f"--ssl-cert={self.directory / 'server.crt'}", f"--ssl-key={self.directory / 'server.key'}"]

    def follow(self, source: MariaDB, connection: str = "") -> None:
        """Replicate from another server; on a second connection, what it does from now on."""
        name = f"'{connection}' " if connection else ""
        begin = "master_use_gtid=slave_pos"
        if connection:
            file, position = source.sql("show master status").split()[:2]
            begin = f"master_use_gtid=no, master_log_file='{file}', master_log_pos={position}"
        self.sql(
            f"change master {name}to master_host='127.0.0.1', master_port={source.port}, master_user='copy', "
            f"master_password='copy', master_connect_retry=1, {begin}; start all slaves"
        )

    def follows(self, wanted: str = "Yes") -> bool:
        """Whether the replication's connection gets into this state in time."""
        deadline = time.monotonic() + PATIENCE
        while f"Slave_IO_Running: {wanted}" not in self.client("-e", "show all slaves status\\G").stdout:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def url(self, user: str = "native", database: str = "") -> str:
        return f"mysql://{user}@127.0.0.1:{self.port}/{database}"

    def socket_url(self, user: str = "root", database: str = "") -> str:
        return f"mariadb://{user}@/{database}?socket={self.socket}"


@contextmanager
def primary(directory: Path, authority: trustme.CA | None = None) -> Iterator[MariaDB]:
    """A server with the users of `USERS`."""
    server = MariaDB(directory)
    server.initialise()
    if authority is not None:
        server.secure(authority)
    try:
        server.start()
        server.sql(USERS)
        yield server
    finally:
        server.kill()


@contextmanager
def replica(directory: Path, of: MariaDB, number: int = 2) -> Iterator[MariaDB]:
    """A read-only server that replicates from another one."""
    server = MariaDB(directory, number)
    server.initialise()
    try:
        server.start("--read-only")
        server.follow(of)
        assert server.follows(), server.log()
        yield server
    finally:
        server.kill()


@contextmanager
def galera_node(directory: Path) -> Iterator[MariaDB]:
    """A cluster of one."""
    server = MariaDB(directory)
    server.initialise()
    ports = f"gmcast.listen_addr=tcp://127.0.0.1:{free_port()};ist.recv_addr=127.0.0.1:{free_port()}"
    server.options += ["--wsrep-on=on", f"--wsrep-provider={GALERA}", "--wsrep-cluster-address=gcomm://"]
    server.options += ["--wsrep-new-cluster", "--binlog-format=row", "--innodb-autoinc-lock-mode=2"]
    server.options += [f"--wsrep-provider-options={ports}", "--wsrep-node-address=127.0.0.1"]
    try:
        server.start()
        server.sql(USERS)
        yield server
    finally:
        server.kill()
