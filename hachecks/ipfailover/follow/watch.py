"""A list and watch of Kubernetes objects: what there is, kept current from one version to the next."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from hachecks import kept
from hachecks.ipfailover.follow.api import GONE, Away, Refused
from hachecks.ipfailover.follow.pace import Backoff
from hachecks.ipfailover.resources import part
from hachecks.verdict import one_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from typing import Any

    import httpx

    from hachecks.exporter.source import SourceHealth
    from hachecks.ipfailover.follow.api import Api
    from hachecks.ipfailover.follow.pace import Pace


class TooOld(Exception):  # noqa: N818 - the name says what it is
    """The server has forgotten what has changed since: all is to be listed anew."""


class Watch:
    """Keeps `objects`, by namespace and name, as the server has them, each as `taken` makes of it.

    Where `taken` gives None the object does not count. It never raises; `news` is called after each change. `synced`
    tells that all has been listed once; nothing is forgotten while the server is away.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        query: Mapping[str, str],
        taken: Callable[[dict[str, Any]], Any],
        news: Callable[[], None],
        health: SourceHealth,
        pace: Pace,
    ) -> None:
        self.objects: dict[str, Any] = {}
        self.synced = False
        self.version = ""
        self.changes = 0
        """Grows with each change."""
        self._api = api
        self._path = path
        self._query = query
        self._taken = taken
        self._news = news
        self._health = health
        self._pace = pace
        self._backoff = Backoff(pace)

    async def follow(self) -> None:
        """Keep the objects current for ever."""
        while True:
            try:
                await self._once()
                wait = self._backoff.wait()  # whoever ends watches at once is not asked for ever without a pause
            except TooOld:
                self.version = ""
                wait = self._backoff.wait()
            except Refused as error:
                self.version = ""
                self._health.failed(f"{error}; what was known stays in force")
                wait = self._backoff.wait(self._pace.longest_wait)
            except Away as error:
                self._health.failed(f"{error}; what was known stays in force")
                wait = self._backoff.wait(error.after)
            await asyncio.sleep(wait)

    async def _once(self) -> None:
        if not self.version:
            await self.list()
        await self._watch()

    async def list(self) -> None:
        """List all; raises `Away`, `Refused` or `TooOld`."""
        found: dict[str, Any] = {}
        query = {**self._query, "limit": str(self._pace.page)}
        for _ in range(self._pace.most_pages):
            try:
                page = await self._api.ask("GET", self._path, query)
            except Refused as error:
                if error.status == GONE:
                    raise TooOld from None
                raise
            items = page.get("items")
            for one in items if isinstance(items, list) else ():
                self._take(found, one)
            version, more = part(page, "metadata", "resourceVersion"), part(page, "metadata", "continue")
            if not isinstance(version, str):
                raise Away(f"GET {self._path}: the answer is no list of Kubernetes")
            if not more:
                break
            query["continue"] = str(more)
        else:
            raise Away(f"GET {self._path}: more than {self._pace.most_pages} pages of {self._pace.page} objects")
        changed = found != self.objects or not self.synced
        self.objects, self.version, self.synced = found, version, True
        self._well(changed)

    def put(self, found: dict[str, Any]) -> None:
        """An object as the server has just answered it, before the watch tells."""
        self._take(self.objects, found)
        self.changes += 1

    def forget(self) -> None:
        """There is none, as the server has just answered, before the watch tells."""
        self.objects = {}
        self.changes += 1

    def _well(self, changed: bool) -> None:
        self._health.succeeded(changed)
        if changed:
            self.changes += 1
            self._news()

    def _take(self, objects: dict[str, Any], found: Any) -> bool:
        """Have an object as it is now; returns whether anything that counts is another."""
        key = key_of(found)
        counts = self._taken(found) if key else None
        before = objects.pop(key, None)
        if counts is not None:
            objects[key] = counts
        return bool(counts != before)

    async def _watch(self) -> None:
        seconds = self._pace.watch * random.uniform(1, 2)  # noqa: S311 - so that nodes do not meet
        query = {
            **self._query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.version,
            "timeoutSeconds": str(max(1, round(seconds))),
        }
        try:
            async with self._api.answer("GET", self._path, query) as response:
                self._well(False)
                async for line in self._lines(response, seconds):
                    self._hear(line)
        except Refused as error:
            if error.status == GONE:
                raise TooOld from None
            raise

    def _hear(self, line: bytes) -> None:
        try:
            event = kept.document(line.decode())
        except ValueError:
            raise Away(f"GET {self._path}: what it watches is no event of Kubernetes") from None
        kind, found = event.get("type"), event.get("object")
        if kind == "ERROR":
            if part(found, "code") == GONE:
                raise TooOld
            raise Away(f"GET {self._path}: the watch ends: {one_line(str(part(found, 'message')))}")
        version = part(found, "metadata", "resourceVersion")
        if not isinstance(version, str):
            raise Away(f"GET {self._path}: an event has no resourceVersion")
        changed = False
        if kind == "DELETED":
            changed = self.objects.pop(key_of(found), None) is not None
        elif kind in ("ADDED", "MODIFIED"):
            changed = self._take(self.objects, found)
        self.version = version
        self._backoff.reset()
        self._well(changed)

    async def _lines(self, response: httpx.Response, seconds: float) -> AsyncIterator[bytes]:
        """Lines as they come, until the server ends; raises `Away` when it is silent for too long, or does not end."""
        ends = asyncio.get_running_loop().time() + seconds + self._pace.request
        pieces = response.aiter_raw()
        buffer = bytearray()
        while True:
            left = ends - asyncio.get_running_loop().time()
            try:
                piece = await asyncio.wait_for(pieces.__anext__(), min(self._pace.silence, max(left, 0.001)))
            except StopAsyncIteration:
                return
            except asyncio.TimeoutError:
                return  # nothing is lost: the next one goes on from the same version
            buffer += piece
            if len(buffer) > self._pace.largest:
                raise Away(f"GET {self._path}: an event is more than {self._pace.largest} bytes")
            if b"\n" in piece:
                *lines, rest = bytes(buffer).split(b"\n")
                buffer = bytearray(rest)
                for line in filter(bytes.strip, lines):
                    yield line


def key_of(found: Any) -> str:
    """`NAMESPACE/NAME` of an object; empty where it has none."""
    namespace, name = part(found, "metadata", "namespace"), part(found, "metadata", "name")
    return f"{namespace}/{name}" if isinstance(namespace, str) and isinstance(name, str) else ""
