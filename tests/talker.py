"""A TCP server that says what a test tells it to, and remembers what it heard."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator


class Talker:
    """Where it listens, and what each connection brought."""

    def __init__(self, listener: socket.socket) -> None:
        name = listener.getsockname()
        self.address = f"unix:{name}" if isinstance(name, str) else f"[{name[0]}]:{name[1]}"
        if not isinstance(name, str) and ":" not in name[0]:
            self.address = f"{name[0]}:{name[1]}"
        self.heard: list[bytes] = []
        self.peers: list[object] = []


@contextmanager
def talking(
    talk: Callable[[socket.socket, Talker], None],
    *,
    host: str = "127.0.0.1",
    path: str | None = None,
    context: ssl.SSLContext | None = None,
) -> Iterator[Talker]:
    """Serve connections, one after another, until the block ends; whoever has connected by then is served, too."""
    if path is not None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
    else:
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        listener.bind((host, 0))
    listener.listen()
    listener.setblocking(False)
    talker = Talker(listener)
    end, ended = socket.socketpair()

    def arrivals() -> Iterator[tuple[socket.socket, object]]:
        while True:
            is_over = ended in select.select([listener, ended], [], [])[0]
            try:
                yield listener.accept()
            except OSError:
                if is_over:
                    return

    def serve() -> None:
        with listener, ended:
            for connection, peer in arrivals():
                talker.peers.append(peer)
                with connection:
                    connection.settimeout(5)
                    try:
                        secured = context.wrap_socket(connection, server_side=True) if context else connection
                        with secured:
                            talk(secured, talker)
                    except OSError:
                        continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield talker
    finally:
        end.close()
        thread.join(10)


def greet_and_echo(connection: socket.socket, talker: Talker) -> None:
    """Say hello, then say back every line."""
    connection.sendall(b"220 hello\r\n")
    while data := connection.recv(1000):
        talker.heard.append(data)
        connection.sendall(b"you said " + data)


def listen_only(connection: socket.socket, talker: Talker) -> None:
    """Hear one thing and hang up."""
    talker.heard.append(connection.recv(1000))
