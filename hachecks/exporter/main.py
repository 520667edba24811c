"""The exporter's main: it listens, looks once a second at what does not call by itself, and ends at SIGTERM."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web

from hachecks.exporter import metrics
from hachecks.exporter.additions import Additions
from hachecks.exporter.beat import beat
from hachecks.exporter.complaints import Complaints, LogOfLibrary
from hachecks.exporter.connections import KEEPALIVE_TIMEOUT, Connections, bound
from hachecks.exporter.hosts import Hosts
from hachecks.exporter.options import Listen
from hachecks.exporter.own_answer import OwnAnswer
from hachecks.exporter.server import Server
from hachecks.exporter.sources import Sources
from hachecks.exporter.view_builder import ViewBuilder
from hachecks.node import PORT
from hachecks.registry import Entry
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from hachecks.exporter.connections import Make
    from hachecks.exporter.options import ExporterOptions
    from hachecks.exporter.view import View
    from hachecks.exporter.web_config.config import WebConfig
    from hachecks.node import Node

WEB_CONFIG = Entry(
    "hachecks.exporter.web_config.config:WebConfig", "TLS and users, which take 3 MiB where they are wanted"
)
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
MMAP_THRESHOLD = 64 * 1024
"""Bytes from which on a piece of memory is the kernel's, to be given back at once."""
REFRESH_INTERVAL = 1.0
"""Seconds between two looks at the sources, while nobody asks."""
LINGER_SECONDS = 1.0
"""Seconds for which a body that nobody wants is read, so that the answer arrives."""
SHUTDOWN_TIMEOUT = 0.3
"""Seconds that requests have to end in when the exporter ends, and what else runs: it has ended within a second."""
NOTHING = Additions()


def serve(
    options: ExporterOptions,
    node: Node,
    tell_line: Callable[[str], None],
    additions: Additions = NOTHING,
) -> bool:
    """Serve until SIGTERM or SIGINT; returns False where nothing could be listened on. Raises `Invalid`."""
    _give_memory_back()

    def tell(line: str) -> None:
        tell_line(visible(line))

    complaints = Complaints(tell)
    for library in ("aiohttp", "asyncio"):
        logger = logging.getLogger(library)
        logger.addHandler(LogOfLibrary(complaints))
        logger.propagate = False
    return _run(_serve(options, node, tell, complaints, additions))


def _run(serving: Coroutine[Any, Any, bool]) -> bool:
    """Run it on a loop of its own, as asyncio.run does, which waits for threads at last: one may hang in a resolver."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(serving)
    finally:
        if left := asyncio.all_tasks(loop):
            loop.run_until_complete(_end(left))
        asyncio.set_event_loop(None)
        loop.close()


async def _end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel these, and wait for them for a moment."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=SHUTDOWN_TIMEOUT)


def _give_memory_back() -> None:
    """Have glibc give back at once what an answer took; it would keep up to 32 MiB of it, in pieces (mallopt(3))."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD)
        mallopt(M_ARENA_MAX, 1)


async def _serve(
    options: ExporterOptions,
    node: Node,
    tell: Callable[[str], None],
    complaints: Complaints,
    additions: Additions,
) -> bool:
    asyncio.get_running_loop().set_exception_handler(complaints.of_loop)
    web_config: WebConfig | None = WEB_CONFIG.load().read(options.web_config) if options.web_config else None
    for note in web_config.notes if web_config else ():
        tell(note)
    sources = _sources(options, node, tell, additions)
    hosts = Hosts(options.allowed_host, node.environ)
    sections = [*metrics.sections(compatible=options.compat == "keepalived"), *additions.sections()]
    views, own = ViewBuilder(sources, additions.group), OwnAnswer(sources, additions.alike, sources.drain_in_words)
    additions.know_itself(own, lambda: _looked(sources, views))
    server = Server(views, own, sections, web_config, hosts, complaints, additions)
    runner = _runner(server)
    await runner.setup()
    tls = web_config.ssl_context() if web_config else None
    connections = server.connections = Connections(cast("Make", runner.server), tls, complaints)
    endless = (
        sources.addresses.follow(),
        _keep_fresh(sources, web_config, tell),
        _tend(connections, complaints),
        *additions.tasks(sources),
    )
    tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(coroutine) for coroutine in endless]
    ended = _told_to_end()  # before it is said that we serve: somebody may wait for that, to end us
    try:
        addresses = options.listen or (Listen("", PORT),)
        if not [one for one in addresses if _listens(connections, one, tell)]:
            return False
        await _until_ended(ended, tasks)
        return True
    finally:
        additions.close()
        await _end(tasks)
        connections.close()
        sources.close()
        await runner.cleanup()
        await additions.ended()


def _sources(options: ExporterOptions, node: Node, tell: Callable[[str], None], additions: Additions) -> Sources:
    sources = Sources(node, tell, additions)
    if options.fifo:
        sources.follow_fifo(options.fifo)
    if options.keepalived_json:
        sources.ask_for_json(options.keepalived_json, options.pid_file)
    return sources


def _runner(server: Server) -> web.AppRunner:
    return web.AppRunner(
        server.application(),
        access_log=None,
        shutdown_timeout=SHUTDOWN_TIMEOUT,
        keepalive_timeout=KEEPALIVE_TIMEOUT,
        lingering_time=LINGER_SECONDS,
        handler_cancellation=True,
    )


def _listens(connections: Connections, listen: Listen, tell: Callable[[str], None]) -> bool:
    try:
        sockets = bound(listen.host, listen.port)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error
        tell(f"{listen!r} cannot be listened on: {why}; choose another with --listen")
        return False
    scheme = "https" if connections.tls else "http"
    for one in sockets:
        connections.listen(one)
        host, port, *_ = one.getsockname()
        tell(f"serving {scheme}://{Listen(host, port)!r}/")
    return True


def _looked(sources: Sources, views: ViewBuilder) -> View:
    """What there is to see now."""
    sources.refresh()
    return views.view()


async def _keep_fresh(sources: Sources, web_config: WebConfig | None, tell: Callable[[str], None]) -> None:
    last_trouble = None
    while True:
        sources.follow()
        trouble = web_config.refresh() if web_config else None
        if trouble and trouble != last_trouble:
            tell(trouble)
        last_trouble = trouble
        await (asyncio.sleep(0) if sources.is_behind else beat(REFRESH_INTERVAL))


async def _tend(connections: Connections, complaints: Complaints) -> None:
    while True:
        await beat(REFRESH_INTERVAL)
        connections.sweep()
        complaints.sum_up()


def _told_to_end() -> asyncio.Event:
    """What is set by the signal to end."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    return ended


async def _until_ended(ended: asyncio.Event, tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Wait for the signal; a task that ends has failed, and what it raised is raised here."""
    waiting: asyncio.Future[Any] = asyncio.ensure_future(ended.wait())
    await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for task in tasks:
        if task.done():
            task.result()
