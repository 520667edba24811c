"""How does the exporter run? It listens, looks once a second at what does not call by itself, and ends at SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import TYPE_CHECKING, Any

from aiohttp import web

from hachecks.exporter import metrics
from hachecks.exporter.looking import node_of
from hachecks.exporter.options import Listen
from hachecks.exporter.server import Server
from hachecks.registry import Entry
from hachecks.status import PORT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hachecks.exporter.node import Node
    from hachecks.exporter.options import ExporterOptions
    from hachecks.exporter.web_config import WebConfig
    from hachecks.status import NameOfCheck

WEB_CONFIG = Entry("hachecks.exporter.web_config:WebConfig", "TLS and users, which take 3 MiB where they are wanted")
LOOK = 1.0
"""Seconds between two looks at the sources, while nobody asks."""
LAST_ANSWERS = 2.0
"""Seconds that requests have to end in when the exporter ends."""


def serve(
    options: ExporterOptions,
    environ: Mapping[str, str],
    name_of_check: NameOfCheck,
    tell: Callable[[str], None],
) -> bool:
    """Serve until SIGTERM or SIGINT; returns False where nothing could be listened on. Raises `Invalid`."""
    logger = logging.getLogger("aiohttp")
    logger.addHandler(_Teller(tell))
    logger.propagate = False
    return asyncio.run(_serve(options, environ, name_of_check, tell))


class _Teller(logging.Handler):
    """What aiohttp has to say, in one line each."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self.tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it, with the error and without its traceback."""
        error = record.exc_info[1] if record.exc_info else None
        self.tell(f"{record.getMessage()}{f': {type(error).__name__}: {error}' if error else ''}")


async def _serve(
    options: ExporterOptions,
    environ: Mapping[str, str],
    name_of_check: NameOfCheck,
    tell: Callable[[str], None],
) -> bool:
    web_config: WebConfig | None = WEB_CONFIG.load().read(options.web_config) if options.web_config else None
    for note in web_config.notes if web_config else ():
        tell(note)
    node = node_of(options, environ, name_of_check, tell)
    if options.fifo:
        node.follow_fifo(options.fifo)
    if options.keepalived_json:
        node.ask_for_json(options.keepalived_json, options.pid_file)
    server = Server(node, metrics.parts(node, options.compat == "keepalived"), web_config)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=LAST_ANSWERS)
    await runner.setup()
    endless = (node.addresses.follow(), _look(node, web_config, tell))
    tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(coroutine) for coroutine in endless]
    try:
        addresses = options.listen or (Listen("", PORT),)
        if not [one for one in addresses if await _listens(runner, one, web_config, tell)]:
            return False
        await _until_ended(tasks)
        return True
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        node.close()
        await runner.cleanup()


async def _listens(
    runner: web.AppRunner, listen: Listen, web_config: WebConfig | None, tell: Callable[[str], None]
) -> bool:
    tls = web_config.ssl_context() if web_config else None
    known = len(runner.addresses)
    site = web.TCPSite(runner, listen.host or None, listen.port, ssl_context=tls)
    try:
        await site.start()
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error
        tell(f"{listen!r} cannot be listened on: {why}; choose another with --listen")
        return False
    scheme = "https" if tls else "http"
    for host, port, *_ in runner.addresses[known:]:
        tell(f"serving {scheme}://{Listen(host, port)!r}/")
    return True


async def _look(node: Node, web_config: WebConfig | None, tell: Callable[[str], None]) -> None:
    told = None
    while True:
        node.refresh()
        trouble = web_config.refresh() if web_config else None
        if trouble and trouble != told:
            tell(trouble)
        told = trouble
        await asyncio.sleep(0 if node.is_behind else LOOK)


async def _until_ended(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Wait for a signal; a task that ends has failed, and what it raised is raised here."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    waiting: asyncio.Future[Any] = asyncio.ensure_future(ended.wait())
    await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for task in tasks:
        if task.done():
            task.result()
