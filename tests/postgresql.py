"""A real PostgreSQL: a primary, and standbys that stream from it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import trustme

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=Path("/"))
PATIENCE = 20
PASSWORD = "pass:word\\with é"
HBA = """
local   all          trusted                    trust
local   all          postgres                   trust
local   all          all                        scram-sha-256
host    replication  postgres   127.0.0.1/32    trust
host    replication  postgres   10.77.0.0/24    trust
host    all          trusted    10.77.0.0/24    trust
host    all          postgres   127.0.0.1/32    trust
host    all          trusted    127.0.0.1/32    trust
host    all          md5        127.0.0.1/32    md5
host    all          clear      127.0.0.1/32    password
hostssl all          tls        127.0.0.1/32    scram-sha-256
host    all          scram      127.0.0.1/32    scram-sha-256
host    all          scram      ::1/128         scram-sha-256
"""
ROLES = f"""
create role trusted login; grant pg_monitor to trusted;
create role stranger login password '{PASSWORD}';
set password_encryption = 'md5'; create role md5 login password '{PASSWORD}';
set password_encryption = 'scram-sha-256';
create role scram login password '{PASSWORD}';
create role clear login password '{PASSWORD}';
create role tls login password '{PASSWORD}';
create role modest login; grant modest to trusted;
create database app;
"""
SETTINGS = {
    "dynamic_shared_memory_type": "mmap",  # in the data directory, which is removed also after a kill
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "20",
    "superuser_reserved_connections": "3",
    "wal_level": "replica",
    "hot_standby": "on",
    "listen_addresses": "127.0.0.1,::1",
    "log_connections": "on",
    "autovacuum": "off",
}


def unprivileged() -> list[str]:
    """What to put before a command so that it does not run as root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return ["setpriv", "--pdeathsig=QUIT"]
    return ["setpriv", "--pdeathsig=QUIT", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def program(name: str, *words: object) -> list[str]:
    """The command line for one of PostgreSQL's programs."""
    return [*unprivileged(), str(PROGRAMS / name), *map(str, words)]


def give(path: Path) -> Path:
    """Let the server's user have the directory."""
    path.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(path, user.pw_uid, user.pw_gid)
    path.chmod(0o700)
    return path


class PostgreSQL:
    """One server, in a directory of its own."""

    def __init__(self, directory: Path, address: str = "127.0.0.1") -> None:
        self.directory = directory
        self.data = directory / "data"
        self.address = address
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def execute(self, name: str, *words: object) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs to its end."""
        return subprocess.run(program(name, *words), capture_output=True, text=True, timeout=60, check=False, cwd="/")

    def run(self, name: str, *words: object) -> str:
        done = self.execute(name, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def initialise(self, settings: Mapping[str, str] | None = None) -> None:
        """Make a new, empty cluster."""
        give(self.directory)
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync", "--no-instructions")
        (self.data / "pg_hba.conf").write_text(HBA)
        self.configure({**SETTINGS, **(settings or {})})

    def configure(self, settings: Mapping[str, str]) -> None:
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def copy(self, primary: PostgreSQL) -> None:
        """Become a standby of the primary."""
        give(self.directory)
        source = f"host={primary.address} port={primary.port} user=postgres"
        self.run("pg_basebackup", "-D", self.data, "-d", source, "-R", "-c", "fast", "--no-sync", "-X", "stream")

    def start(self) -> PostgreSQL:
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(self.server(), stdout=log, stderr=log, cwd="/")
        self.wait()
        return self

    def server(self) -> list[str]:
        return program("postgres", "-D", self.data, "-p", self.port, "-k", self.directory)

    def wait(self) -> None:
        """Wait until it lets clients in."""
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            assert self.process is None or self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def answers(self) -> bool:
        return self.execute("pg_isready", "-h", self.directory, "-p", self.port, "-q").returncode == 0

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def sql(self, statement: str, database: str = "postgres") -> str:
        words = ["-h", self.directory, "-p", self.port, "-U", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=1"]
        return self.run("psql", *words, "-d", database, "-c", statement).strip()

    def promote(self) -> None:
        self.run("pg_ctl", "promote", "-D", self.data, "-w", "-t", PATIENCE)

    def kill(self, number: signal.Signals = signal.SIGQUIT) -> None:
        """End it at once, as a power failure does; the postmaster's children go with it."""
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, number)
            self.process.wait(PATIENCE)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all of its processes for a while, as when its machine hangs or its network is cut."""
        assert self.process is not None
        pid = self.process.pid
        processes = [pid]
        try:
            os.kill(pid, signal.SIGSTOP)  # first, so that it takes leave of no child that ends meanwhile
            processes += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            for process in processes[1:]:
                os.kill(process, signal.SIGSTOP)
            yield
        finally:
            for process in reversed(processes):
                os.kill(process, signal.SIGCONT)

    def url(self, user: str = "trusted", database: str = "postgres", host: str = "") -> str:
        return f"postgresql://{user}@{host or self.address}:{self.port}/{database}"

    def socket_url(self, user: str = "trusted", database: str = "postgres") -> str:
        return f"postgresql://{user}@:{self.port}/{database}?host={self.directory}"

    def secure(self, authority: trustme.CA) -> None:
        """Let it speak TLS, as localhost, with a certificate of this authority."""
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        certificate.cert_chain_pems[0].write_to_path(self.data / "server.crt")
        key = self.data / "server.key"
        certificate.private_key_pem.write_to_path(key)
        key.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(key, "postgres", "postgres")
        self.configure({"ssl": "on"})


@contextmanager
def workplace() -> Iterator[Path]:
    """A directory that the server's user can reach, with a name short enough for a unix socket in it."""
    directory = Path(tempfile.mkdtemp(prefix="db", dir="/tmp"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def primary(directory: Path, authority: trustme.CA | None = None, **settings: str) -> Iterator[PostgreSQL]:
    """A server with the users of `ROLES`."""
    server = PostgreSQL(directory)
    server.initialise(settings)
    if authority is not None:
        server.secure(authority)
    try:
        server.start()
        for statement in ROLES.strip().splitlines():
            server.sql(statement)
        yield server
    finally:
        server.kill()


@contextmanager
def standby(directory: Path, of: PostgreSQL) -> Iterator[PostgreSQL]:
    """A server that streams from another one."""
    server = PostgreSQL(directory)
    server.copy(of)
    try:
        yield server.start()
    finally:
        server.kill()
