"""A watch: an idle connection to the target of a check, and when the next one is opened after its end."""

from __future__ import annotations

import math
import os
import random
import socket
from time import monotonic
from typing import TYPE_CHECKING

from hachecks.net import mysql_handshake
from hachecks.verdict import Verdict

if TYPE_CHECKING:
    from hachecks.agent.check import AgentCheck
    from hachecks.agent.watch.targets import Held, Watched
    from hachecks.deadline import Deadline

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0
"""Seconds until the next connection is opened: twice as many each time that one has ended soon."""
LONG = 4.0
"""Seconds for which a connection has lived whose end says nothing against the next: HAProxy ends idle ones after 5 s or
10 s (timeout http-request), Apache after 20 s, nginx after 60 s (client_header_timeout)."""
KEEPALIVE_SECONDS, KEEPALIVE_PROBES = 1, 3
"""A peer that is gone without a word, with its machine or its network, is missed after 4 s."""
READ_BYTES = 16384
MAX_UNASKED_BYTES = 64 * 1024
"""Bytes that a server may say in one connection; they are thrown away, and more would be a stream to keep up with."""
OPEN, ENDED, TALKS, GREETS = "open", "ended", "talks", "greets"


class Opening:
    """The opening of a connection in the shape of a probe, so that whatever goes wrong in it becomes a verdict."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.held: Held | None = None

    @property
    def subject(self) -> str:
        """The target."""
        return str(self.watched.target)

    def check(self, deadline: Deadline) -> Verdict:
        """Open it."""
        self.held = self.watched.open(deadline)
        return Verdict.passing(f"{self.watched.target} is watched")


class Watch:
    """One target of one check, and the connection to it; times are monotonic seconds."""

    __slots__ = (
        "_bytes",
        "_since",
        "_tries",
        "check",
        "held",
        "is_closed",
        "is_open",
        "next",
        "seen",
        "told",
        "watched",
    )

    def __init__(self, check: AgentCheck, watched: Watched) -> None:
        self.check = check
        self.watched = watched
        self.held: Held | None = None
        self.next = 0.0
        """When a connection may be opened; endless while one is, or is being opened."""
        self.is_closed = False
        self.is_open = False
        """Whether a connection is held, or is being opened."""
        self.seen: object = None
        """The results of the check when it was last run for this; nothing is opened before there are others."""
        self.told = ""
        self._tries = 0
        self._since = 0.0
        self._bytes = 0

    def may_be_opened(self, now: float) -> bool:
        """Whether it is time to open a connection: the check passes, and has been run since the last one ended."""
        return self.next <= now and self.check.good is True and self.seen is not self.check.results

    def hold(self, held: Held) -> int:
        """Hold this connection from now on; returns its descriptor."""
        sock = held.sock
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:  # none of these fails on one that has been reset meanwhile
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
        self.held, self._since, self._bytes = held, monotonic(), 0
        return sock.fileno()

    def look(self) -> str:
        """What has become of the connection: `OPEN` or `ENDED`; or why it is to be left.

        That is `TALKS` where the server says too much, and `GREETS` where it is MySQL's, which wants a login.
        """
        if self.held is None:
            return ENDED
        try:
            # The bytes themselves, in TLS or not: nobody reads them.
            data = os.read(self.held.sock.fileno(), READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return OPEN
        except OSError:
            return ENDED
        if not data:
            return ENDED
        if not self._bytes and self.held.stream is not None and mysql_handshake.looks_like_it(data):
            mysql_handshake.part_unheard(self.held.stream)
            return GREETS
        self._bytes += len(data)
        return OPEN if self._bytes <= MAX_UNASKED_BYTES else TALKS

    def let_go(self) -> None:
        """Leave the connection, and wait longer for the next one when this one has not lived long."""
        held, self.held = self.held, None
        self.is_open = False
        if held is not None:
            held.leave()
            if monotonic() - self._since >= LONG:
                self._tries = 0
        self.pause()

    def pause(self) -> None:
        """Let some time pass before a connection is opened."""
        seconds = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._tries)
        self._tries = min(self._tries + 1, 16)
        self.next = monotonic() + seconds * (1 + random.random()) / 2  # noqa: S311 - no secret

    def pause_long(self) -> None:
        """Let the longest time pass."""
        self._tries = 16
        self.pause()

    def give_up(self) -> None:
        """Open no connection any more, until the check is declared otherwise."""
        self.next = math.inf
