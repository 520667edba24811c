"""The peers: all nodes of the group are asked in rounds, each with one deadline, and judged together."""

from __future__ import annotations

import asyncio
import contextlib
from time import monotonic, time
from typing import TYPE_CHECKING

import httpx

from hachecks.agent.peer import Peer
from hachecks.agent.peer_names import PeerName
from hachecks.agent.peer_options import MOST_PEERS
from hachecks.exporter.configuration import signature
from hachecks.exporter.source import SourceHealth
from hachecks.group.judgement import Member, judged
from hachecks.settings import Invalid
from hachecks.verdict import CannotLook

if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.agent.peer_names import Place
    from hachecks.agent.peer_options import PeerOptions
    from hachecks.group.answer import Answer
    from hachecks.group.judgement import Group

ROUND_INTERVAL = 1.0
"""Seconds from the beginning of a round to that of the next one."""
ROUND_DEADLINE = 0.8
"""Seconds after which whoever has not answered is silent."""
SOON = 0.25
"""Seconds until the next round when one has found what another is to confirm, or this node's addresses have changed."""
MOST_AT_ONCE = 16
"""Requests that are under way at once."""
SELF_INTERVAL = 10.0
"""Seconds after which an address that was this node's own is asked again."""
LEAVING = 0.1
"""Seconds that those have to end who did not answer in time."""


class Peers:
    """Asks the peers for ever.

    `group` is what came of the last round, None before the first; `version` grows with news. `own` gives what this node
    says of itself: a round takes that when all others have answered, so that all of it is of one time. Raises `Invalid`
    where a file that the options name cannot be used.
    """

    def __init__(self, options: PeerOptions, tell: Callable[[str], None]) -> None:
        self.options = options
        self.health = SourceHealth("peers", tell)
        self._tell = tell
        self._too_many = False
        self.names = [PeerName(url) for url in options.peer]
        self.peers: dict[Place, Peer] = {}
        self.group: Group | None = None
        self.version = 0
        self.own: Callable[[], Answer] | None = None
        self._news: asyncio.Event | None = None
        self._under_way: dict[Place, asyncio.Future[None]] = {}
        self._client: httpx.AsyncClient | None = None
        self._client_of: object = None
        self._judged: object = None
        self._check_files()

    def _check_files(self) -> None:
        """Raise `Invalid` where a file that the options name cannot be used."""
        try:
            self.options.peer_login()
            if self.options.has_tls:
                self.options.peer_context()
        except CannotLook as error:
            raise Invalid(f"--peer: {error}") from None

    def hurry(self) -> None:
        """Ask again soon: an address of this node has changed."""
        if self._news:
            self._news.set()

    async def ask_for_ever(self) -> None:
        """Go from round to round."""
        self._news = asyncio.Event()
        try:
            while True:
                began = monotonic()
                self._news.clear()
                with self.health.looked_at():
                    await self._round()
                doubtful = self.group is not None and self.group.is_doubtful
                await asyncio.sleep(max(0.0, began + SOON - monotonic()))
                if not doubtful:
                    with contextlib.suppress(asyncio.TimeoutError):
                        await asyncio.wait_for(self._news.wait(), max(0.0, began + ROUND_INTERVAL - monotonic()))
        finally:
            if self._client:
                await self._client.aclose()

    async def _round(self) -> None:
        self._find_places()
        try:
            client = await self._fresh_client()
            fields = {header.name: header.value for header in self.options.peer_login()}
        except CannotLook as error:
            self.health.failed(f"peers: {error}; they are not asked")
            for peer in self.peers.values():
                peer.fall_silent(str(error))
        else:
            began = monotonic()
            await self._ask(client, fields)
            self.health.succeeded(False, monotonic() - began)
        self._judge()

    def _find_places(self) -> None:
        """Know the peers that there are now, those that were there already with all that is known of them."""
        for name in self.names:
            name.refresh()
        places = list(dict.fromkeys(place for name in self.names for place in name.places))
        if len(places) > MOST_PEERS and not self._too_many:
            self._tell(
                f"--peer: the names come to {len(places)} addresses; the first {MOST_PEERS} are asked, no others"
            )
        self._too_many = len(places) > MOST_PEERS
        self.peers = {place: self.peers.get(place) or Peer(place) for place in places[:MOST_PEERS]}

    async def _fresh_client(self) -> httpx.AsyncClient:
        """The client; another one when its certificates have changed. Raises `CannotLook`."""
        made_of = signature(self.options.peer_tls_files)
        if self._client is None or made_of != self._client_of:
            verify = self.options.peer_context() if self.options.has_tls else False
            limits = httpx.Limits(max_connections=MOST_PEERS, max_keepalive_connections=MOST_PEERS)
            transport = httpx.AsyncHTTPTransport(verify=verify, trust_env=False, limits=limits)
            # The deadline is the round's; httpx's timeouts are for each operation.
            if self._client:
                await self._client.aclose()
            self._client = httpx.AsyncClient(transport=transport, trust_env=False, timeout=None)  # noqa: S113
            self._client_of = made_of
        return self._client

    async def _ask(self, client: httpx.AsyncClient, fields: dict[str, str]) -> None:
        """Ask all, those first that answered last time: as many silent ones as there may be delay nobody."""
        ends, room = monotonic() + ROUND_DEADLINE, asyncio.Semaphore(MOST_AT_ONCE)
        begun: dict[asyncio.Future[None], Peer] = {}

        async def ask(peer: Peer) -> None:
            async with room:
                await peer.ask(client, fields)

        for peer in sorted(self.peers.values(), key=lambda one: (one.answer is None, one.asked)):
            if peer.place not in self._under_way and not self._is_self(peer):
                begun[asyncio.ensure_future(ask(peer))] = peer
        if not begun:
            return
        began = monotonic()
        _, late = await asyncio.wait(begun, timeout=ends - monotonic())
        for task in late:
            if begun[task].asked >= began:  # else there was no room for it
                begun[task].is_late(ROUND_DEADLINE)
            task.cancel()
            self._under_way[begun[task].place] = task
        if late:
            await asyncio.wait(late, timeout=LEAVING)
        self._under_way = {place: task for place, task in self._under_way.items() if not task.done()}
        for task, peer in begun.items():
            error = None if not task.done() or task.cancelled() else task.exception()
            if error:
                peer.fall_silent(f"an error of ours ({type(error).__name__}); please report it")

    def _is_self(self, peer: Peer) -> bool:
        """Whether it is known as this node, and need not be asked yet."""
        return bool(peer.answer and peer.identity == self._own().identity and peer.asked + SELF_INTERVAL > monotonic())

    def _own(self) -> Answer:
        assert self.own is not None  # noqa: S101 - known before any task begins
        return self.own()

    def _judge(self) -> None:
        own = self._own()
        members = [Member("", own.node, own, answered=time()), *self._others(own.identity), *self._unresolved()]
        seen = [(one.peer, one.node, one.trouble, one.since, one.answer) for one in members]
        if self.group and seen == self._judged and not self.group.is_doubtful:
            answered = {one.peer: one.answered for one in members}
            kept = tuple(one._replace(answered=answered[one.peer]) for one in self.group.members)
            self.group = self.group._replace(members=kept)
            return
        self._judged = seen
        group = judged(members, self.group)
        if self.group is None or _told(group) != _told(self.group):
            self.version += 1
        self.group = group

    def _others(self, own: str) -> list[Member]:
        """The peers that are other nodes, each once: a node may have an address of each family."""
        found: dict[str, Peer] = {}
        for peer in self.peers.values():
            known = found.get(peer.identity)
            if peer.identity == own or (peer.identity and known and known.answer):
                continue
            found[peer.identity or peer.place.label] = peer
        return [peer.member() for peer in found.values()]

    def _unresolved(self) -> list[Member]:
        return [
            Member(f"{name.url.host}:{name.url.port}", "", None, name.trouble or "its name is being resolved")
            for name in self.names
            if not name.addresses
        ]


def _told(group: Group) -> object:
    """All that is told of a group, but for when its nodes answered last."""
    return group.vips, group.differences, [one._replace(answered=None) for one in group.members]
