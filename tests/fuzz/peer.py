"""A server that says given bytes, whatever it is asked, and closes: over a real pair of sockets."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from hachecks.deadline import Deadline
from hachecks.net.transport import NetworkOptions, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.net.target import Target

WHERE = "192.0.2.1:1"


@contextlib.contextmanager
def saying(data: bytes) -> Iterator[Stream]:
    """A stream to such a server."""
    ours, its = socket.socketpair()
    with ours, its:
        for end in (ours, its):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 512 * 1024)
        its.sendall(data)
        its.shutdown(socket.SHUT_WR)
        yield Stream(ours, Deadline.after(30), WHERE)


class Saying(NetworkOptions):
    """The way to such a server."""

    stream: Stream

    def __init__(self, stream: Stream) -> None:
        object.__setattr__(self, "stream", stream)

    def connect(self, _target: Target, _deadline: Deadline) -> Stream:
        """The stream, whatever is asked for."""
        return self.stream
