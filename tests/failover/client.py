"""Who answers http://HOST/ right now?  Asks all the time and prints one line for each request.

    python client.py HOST [EVERY [TIMEOUT]]     in seconds

A line is: when it began, when it ended (seconds, monotonic clock), and the name the server gave, or `-` for no
good answer.  Each request has a connection of its own, so that none waits for another.  Runs alone inside the client's
network namespace, so it needs the standard library only; and it is no asyncio, of which 200 requests a second would
take a good part of a processor that somebody else is measured on.
"""

from __future__ import annotations

import errno
import selectors
import socket
import sys
import time

EVERY = 0.05
TIMEOUT = 0.3
ROOM = 65536


class Request:
    """One request, from the connection to the last byte of the answer."""

    def __init__(self, host: str, deadline: float) -> None:
        self.began = time.monotonic()
        self.deadline = self.began + deadline
        self.words = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        self.answer = b""
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.refused = self.socket.connect_ex((host, 80)) not in (0, errno.EINPROGRESS)

    def send(self) -> bool:
        """Ask; returns whether it could."""
        try:
            return self.socket.send(self.words) == len(self.words)
        except OSError:
            return False

    def receive(self) -> bool:
        """Take what is there; returns whether more can come."""
        try:
            more = self.socket.recv(ROOM)
        except OSError:
            return False
        self.answer += more
        return bool(more)

    def end(self) -> None:
        """Tell what came of it."""
        self.socket.close()
        head, _, body = self.answer.partition(b"\r\n\r\n")
        name = body.decode().strip() if b" 200 " in head.split(b"\r\n")[0] else "-"
        print(f"{self.began:.6f} {time.monotonic():.6f} {name or '-'}", flush=True)


class Client:
    """The requests that wait for their answers, oldest first."""

    def __init__(self, host: str, every: float, timeout: float) -> None:
        self.host = host
        self.every = every
        self.timeout = timeout
        self.waiting: dict[Request, None] = {}
        self.selector = selectors.EpollSelector()

    def run(self) -> None:
        due = time.monotonic()
        while True:
            self.ask()
            # Who comes late asks on from there: a crowd of requests tells no more than one.
            due = max(due + self.every, time.monotonic())
            while (left := due - time.monotonic()) > 0:
                self.hear(left)
            self.hear(0)

    def ask(self) -> None:
        request = Request(self.host, self.timeout)
        if request.refused:
            request.end()
            return
        self.waiting[request] = None
        self.selector.register(request.socket, selectors.EVENT_WRITE, request)

    def hear(self, within: float) -> None:
        oldest = next(iter(self.waiting), None)
        if oldest:
            within = min(within, max(0.0, oldest.deadline - time.monotonic()))
        for key, events in self.selector.select(within):
            request = key.data
            if events & selectors.EVENT_WRITE and request.send():
                self.selector.modify(request.socket, selectors.EVENT_READ, request)
            elif events & selectors.EVENT_WRITE or not request.receive():
                self.end(request)
        now = time.monotonic()
        for request in [one for one in self.waiting if one.deadline <= now]:
            request.answer = b""
            self.end(request)

    def end(self, request: Request) -> None:
        del self.waiting[request]
        self.selector.unregister(request.socket)
        request.end()


if __name__ == "__main__":
    Client(sys.argv[1], *([float(word) for word in sys.argv[2:]] + [EVERY, TIMEOUT][len(sys.argv) - 2 :])).run()
