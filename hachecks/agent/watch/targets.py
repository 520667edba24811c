"""What is watched for a check: where an idle connection to the target is opened, and how it is left."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, NamedTuple

from hachecks.checks.composition import Composition
from hachecks.checks.publish import probe_kind
from hachecks.net import mysql_handshake
from hachecks.net.target import canonical, family_of
from hachecks.net.transport import NetworkOptions
from hachecks.probes.tcp import GREETING_SECONDS, MYSQL_GREETING_SECONDS, MYSQL_PORTS
from hachecks.registry import Entry
from hachecks.settings import Invalid
from hachecks.verdict import CannotLook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from hachecks.checks.schedule import Schedule
    from hachecks.deadline import Deadline
    from hachecks.net.target import Target
    from hachecks.net.transport import Stream
    from hachecks.probes import Probe

MYSQL = "is a MySQL server, which counts who says nothing: watch it with sql"
SESSIONS = {
    "mysql": Entry("hachecks.agent.watch.sessions:mysql", "MySQL and MariaDB"),
    "postgresql": Entry("hachecks.agent.watch.sessions:postgresql", "PostgreSQL"),
}


class Held(NamedTuple):
    """An open connection, and how it is left; `stream` is there where the server may still greet."""

    sock: socket.socket
    leave: Callable[[], None]
    stream: Stream | None = None


class Watched(NamedTuple):
    """A target, the way to it, and what opens a connection; that raises `Failure`, `CannotLook` or `TimedOut`."""

    network: NetworkOptions
    target: Target
    open: Callable[[Deadline], Held]


class Way(NamedTuple):
    """How a probe's packets go: interface and source where they are given, and to which host; empty where not known."""

    interface: str
    source: str
    host: str

    @property
    def stays_here(self) -> bool:
        """Whether the packets never leave this node."""
        return self.host.startswith("127.") or self.host in ("::1", "localhost")

    @property
    def families(self) -> tuple[int, ...]:
        """The families that it may go by."""
        family = family_of(self.host) or family_of(self.source)
        return (family,) if family else (socket.AF_INET, socket.AF_INET6)


def refuse(where: str, probe: Probe, schedule: Schedule) -> None:
    """Raise `Invalid` when the schedule wants a watch, and there is nothing that can be."""
    if not schedule.watch:
        return
    if isinstance(probe, Composition):
        if not any(watched(probe)):
            raise Invalid(f"{where}: watch: none of {probe.subject} can be watched; it is for tcp, http and sql")
        return
    why = _hindrance(probe)
    if why:
        raise Invalid(f"{where}: watch: {why}")


def watched(probe: Any) -> Iterator[Watched]:
    """Each target of a probe that can be watched, those of a composition's members included."""
    if isinstance(probe, Composition):
        for member in probe.members:
            yield from watched(member.probe)
    elif not _hindrance(probe):
        yield _watched(probe)


def ways(probe: Any) -> Iterator[Way]:
    """The way to each target of a probe, those of a composition's members included; none where it has no network."""
    if isinstance(probe, Composition):
        for member in probe.members:
            yield from ways(member.probe)
    elif isinstance(probe, NetworkOptions):
        target = probe.connect_to or _target(probe)
        if target is None or (not target.path and target.host):
            host = canonical(target.host).partition("%")[0] if target else ""
            yield Way(probe.interface or "", canonical(str(probe.source)) if probe.source else "", host)


def _target(probe: Any) -> Target | None:
    """Where a probe connects; None where that is found out each time."""
    kind = probe_kind(probe)
    if kind == "http":
        target: Target = (probe.proxy or probe.url).target
        return target
    if kind in ("tcp", "sql"):
        return probe.target if kind == "tcp" else probe.url.target  # type: ignore[no-any-return]
    return None


def _hindrance(probe: Any) -> str:
    """Why a probe's target cannot be watched."""
    kind = probe_kind(probe)
    if kind not in ("tcp", "http", "sql"):
        return f"{kind} has no connection that could be held; it is for tcp, http and sql"
    if kind == "http" and probe.proxy is not None:
        return "the connection would end at the proxy; drop watch, or proxy"
    if kind == "sql" and probe.url.scheme not in SESSIONS:
        return "an SQLite file has no connection that could be held"
    if kind == "sql" and probe.ready_only:
        return "a database is watched by a session that is logged in; drop watch, or ready_only"
    return ""


def _watched(probe: Any) -> Watched:
    kind = probe_kind(probe)
    if kind == "sql":
        session = SESSIONS[probe.url.scheme]
        return Watched(probe, probe.url.target, lambda deadline: session.load()(probe, deadline))
    if kind == "http":
        return Watched(probe, probe.url.target, lambda deadline: _silent(probe, probe.url.target, deadline))
    return Watched(probe, probe.target, lambda deadline: _listening(probe, probe.target, deadline))


def _silent(network: NetworkOptions, target: Target, deadline: Deadline) -> Held:
    """A connection in which nothing is said, not even TLS."""
    stream = network.connect(target, deadline)
    return Held(stream.sock, stream.close)


def _listening(network: NetworkOptions, target: Target, deadline: Deadline) -> Held:
    """The same to a server that may greet: MySQL's is not left waiting for a login."""
    stream = network.connect(target, deadline)
    is_likely = network._goal(target).port in MYSQL_PORTS
    heard = stream.peek(MYSQL_GREETING_SECONDS if is_likely else GREETING_SECONDS)
    if mysql_handshake.leave_after(heard, stream, is_read=False, has_spoken=False):
        stream.close()
        raise CannotLook(f"{target} {MYSQL}", "mysql")
    return Held(stream.sock, stream.close, stream)
