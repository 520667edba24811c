r"""HAProxy's agent-check: who connects is told in one line what a check comes to, its state and its weight together.

    up 100%              the check passes
    up 40%               it has recovered and starts slowly, or fails and has a weight of -60
    up 0% #drained ...   the node is drained: no new connections, as by `drain`
    down #why            it fails
    #why                 nothing is known just now (no run yet, a verdict that has expired, no such check): HAProxy
                         changes nothing, so that a stuck agent takes no server in and none out

`ready`, `drain` and `maint` are never said (haproxy 2.6.12, tried): each `ready` undoes what people have set on
HAProxy's own socket, and without one a drain that ended while the agent was away would last for ever. Nor does `up`
bring in a server whose own health check fails (haproxy issue 1176 was that): have both, `check agent-check`.

An empty name (`agent-send "\n"`) is all checks together, answered at once. Who sends nothing is waited for a moment. In
an HAProxy of which one server has agent-send, those of the others are late by 200 ms, since its kernel holds their
first packet back for something to send with it (2.6.12, issue 1839): give it to all servers, or to none.
"""

from __future__ import annotations

import asyncio
import os
from time import monotonic
from typing import TYPE_CHECKING, cast

from hachecks.agent.share import Share, share, together
from hachecks.drain.state import drained
from hachecks.exporter.connections import bound
from hachecks.exporter.options import Listen

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from hachecks.agent.agent_check_options import AgentPort
    from hachecks.agent.check import AgentCheck
    from hachecks.exporter.sources import Sources

NAME_SECONDS = 0.05
"""Seconds for the name of a check to arrive after the connection: HAProxy sends it in the same packet or the next."""
MAX_NAME_BYTES = 256
MAX_CONNECTIONS = 128
"""Connections at once, each of which lives no longer than that."""


class AgentChecks:
    """Answers on all ports."""

    def __init__(
        self,
        ports: Sequence[AgentPort],
        checks: Callable[[], Sequence[AgentCheck]],
        tell: Callable[[str], None],
    ) -> None:
        self.ports = ports
        self.checks = checks
        self.sources: Sources
        self.tell = tell
        self.open = 0

    async def run(self, sources: Sources) -> None:
        """Answer until it is cancelled."""
        self.sources = sources
        declared = {check.name for check in self.checks()}
        for name in sorted({port.name for port in self.ports} - declared - {""}):
            self.tell(f"--agent-check {name}=: there is no check of this name; HAProxy changes nothing until there is")
        servers: list[asyncio.Server] = []
        try:
            for port in self.ports:
                for one in self._bound(port):
                    servers.append(await self._serve(port, one))
            await asyncio.Event().wait()
        finally:
            for server in servers:
                server.close()

    def _bound(self, port: AgentPort) -> list[socket.socket]:
        try:
            return bound(port.listen.host, port.listen.port)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else error
            self.tell(f"{port.listen!r} cannot be listened on: {why}; choose another with --agent-check")
            return []

    async def _serve(self, port: AgentPort, one: socket.socket) -> asyncio.Server:
        host, number, *_ = one.getsockname()
        about = port.name or "the check that agent-send names, or all"
        self.tell(f"answering agent-check on {Listen(host, number)!r} for {about}")
        return await asyncio.get_running_loop().create_server(lambda: Asked(self, port.name), sock=one)

    def drain(self) -> str:
        """Why the node is drained just now; empty while it is not."""
        path = self.sources.drain_file
        drain = drained(path) if path else None
        return str(drain) if drain else ""

    def answer(self, name: str) -> str:
        """The line for a check, or for all without a name."""
        now, checks = monotonic(), self.checks()
        if not name:
            return together([share(check, now) for check in checks]).line(self.drain())
        check = next((check for check in checks if check.name == name), None)
        found = share(check, now) if check else Share(None, "there is no check of this name")
        return found.line(self.drain())


class Asked(asyncio.Protocol):
    """One who asks: he may say a name, has his answer, and is left."""

    def __init__(self, all_: AgentChecks, name: str) -> None:
        self.all = all_
        self.name = name
        self.said = b""
        self.transport: asyncio.Transport
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer at once what needs no name."""
        self.transport = cast("asyncio.Transport", transport)
        self.all.open += 1
        if self.all.open > MAX_CONNECTIONS:
            self.transport.abort()
        elif self.name:
            # Not before what has come with the connection is read: whoever closes on unread bytes resets it.
            self._late = asyncio.get_running_loop().call_later(0, self._answer)
        else:
            self._late = asyncio.get_running_loop().call_later(NAME_SECONDS, self._answer)

    def data_received(self, data: bytes) -> None:
        """Take a name, and answer when it has ended."""
        self.said += data[: MAX_NAME_BYTES + 1]
        if len(self.said) > MAX_NAME_BYTES:
            self.transport.abort()
        elif not self.name and (b"\n" in self.said or b"\r" in self.said):
            self._answer()

    def eof_received(self) -> bool:
        """Nothing comes any more: answer now."""
        self._answer()
        return True

    def _answer(self) -> None:
        if self.transport.is_closing():
            return
        words = self.said.decode("ascii", "replace").split()
        name = self.name or (words[0] if words else "")
        self.transport.write(self.all.answer(name).encode())
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """He is gone."""
        self.all.open -= 1
        if self._late:
            self._late.cancel()
