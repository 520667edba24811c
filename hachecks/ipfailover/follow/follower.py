"""The follower: what the cluster's Services and the variables come to, shared with all nodes and written for `run`."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import random
import time
from typing import TYPE_CHECKING, Any

from hachecks import state
from hachecks.exporter.addresses import Addresses
from hachecks.exporter.source import SourceHealth
from hachecks.ipfailover import ledger as ledgers
from hachecks.ipfailover.follow.allocation import needed, served, tidied
from hachecks.ipfailover.follow.api import Away, Refused
from hachecks.ipfailover.follow.files import ENV, LEDGER, FollowReport, written_env
from hachecks.ipfailover.follow.owner import Owner
from hachecks.ipfailover.follow.pace import Backoff
from hachecks.ipfailover.follow.services import Reader, Unfit, label
from hachecks.ipfailover.follow.shared_map import SharedMap, path_of
from hachecks.ipfailover.follow.watch import Watch
from hachecks.ipfailover.follow.wishes import Wishes
from hachecks.ipfailover.vips import parse
from hachecks.settings import Invalid
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hachecks.ipfailover.follow.allocation import Outcome
    from hachecks.ipfailover.follow.api import Api
    from hachecks.ipfailover.follow.configuration import Configuration
    from hachecks.ipfailover.follow.options import ServiceOptions
    from hachecks.ipfailover.follow.pace import Pace
    from hachecks.ipfailover.follow.services import Service
    from hachecks.ipfailover.follow.shared import Shared

SERVICES = "/api/v1/services"
JITTER = 0.2
"""Seconds by which nodes that all want the same are apart, so that one of them writes it, and the others see it."""
LEAVING = 0.1
"""Seconds after which those that have not ended are told again."""
MOST_AT_ONCE = 5
"""Writes in a row without a pause."""
ALONE = (
    "OPENSHIFT_HA_VIRTUAL_IPS names no VIP: when the last Service goes, its VIP stays until the pod ends, since "
    "Keepalived runs with no empty configuration; name a VIP there"
)
MOST_REMARKS = 50
HEALTHS = ("Services", "ledger", "sharing", "objects", "variables", "files", "owner")


class Follower:
    """Follows the Services for ever; `tell` gets a line for people, each once."""

    def __init__(
        self,
        api: Api,
        options: ServiceOptions,
        configuration: Configuration,
        node: str,
        directory: str,
        tell: Callable[[str], None],
        pace: Pace,
    ) -> None:
        self._api = api
        self._configuration = configuration
        self._directory = directory
        self._tell = tell
        self._pace = pace
        self._reader = Reader(
            str(options.load_balancer_class), tuple(ipaddress.ip_network(one) for one in options.external_ip_range)
        )
        self._room = tuple(str(vip) for text in options.service_range for vip in parse(text).addresses)
        self._news: asyncio.Event | None = None
        self._said: frozenset[str] = frozenset()
        self._healths = {name: SourceHealth(name, tell) for name in HEALTHS}
        self.services = self._watch(SERVICES, {}, self._service, "Services")
        name = str(options.ledger_config_map)
        chosen = {"fieldSelector": f"metadata.name={name}"}
        self.config_maps = self._watch(path_of(api), chosen, lambda one: one, "ledger")
        self.config_map = SharedMap(api, name, self.config_maps)
        self._addresses = Addresses(SourceHealth("netlink", tell))
        self._owner = Owner(api, node, directory, self._is_here, tell, pace)
        self._standing: tuple[Wishes, Shared] | None = None
        self._stands_for: object = None
        self._since = 0.0
        self._told_of: object = None
        self._reported_of: object = None
        self._reported = 0.0

    def _watch(self, path: str, query: dict[str, str], taken: Callable[[dict[str, Any]], Any], name: str) -> Watch:
        return Watch(self._api, path, query, taken, self._wake, self._healths[name], self._pace)

    def _wake(self) -> None:
        if self._news:
            self._news.set()

    def _service(self, found: dict[str, Any]) -> Service | Unfit | None:
        """What counts of a Service, or what is wrong with it."""
        with self._healths["objects"].looked_at():
            try:
                return self._reader.service(found)
            except Unfit as error:
                return Unfit(f"{visible(label(found))}: {error}; it is passed over")
        return None

    def _is_here(self, vip: str) -> bool:
        return bool(self._addresses.present().interfaces_with(vip))

    async def follow(self) -> None:
        """Follow for ever."""
        watches = self.services.follow(), self.config_maps.follow(), self._addresses.follow()
        tasks = [asyncio.ensure_future(one) for one in (*watches, self._act_for_ever(), self._own())]
        try:
            await asyncio.gather(*tasks)
        finally:
            left = set(tasks)
            while left:  # before Python 3.12 wait_for may lose a cancellation
                for task in left:
                    task.cancel()
                _, left = await asyncio.wait(left, timeout=LEAVING)
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._api.close()

    async def look(self) -> None:
        """Learn once what there is; raises `Away`, `Refused` or `TooOld`."""
        try:
            await self.services.list()
            await self.config_maps.list()
        finally:
            await self._api.close()

    async def _act_for_ever(self) -> None:
        news, backoff, busy = asyncio.Event(), Backoff(self._pace), 0
        self._news = news  # here, since before Python 3.10 it is of the loop in which it is made
        while True:
            wait = 0.0
            news.clear()
            with self._healths["files"].looked_at():
                try:
                    if await self._act():
                        # Should there ever be no end to it, it is not the cluster's store that suffers.
                        busy += 1
                        await asyncio.sleep(backoff.wait() if busy > MOST_AT_ONCE else 0)
                        continue
                    busy = 0
                    backoff.reset()
                    self._healths["files"].succeeded(False)
                except Invalid as error:
                    self._healths["variables"].failed(f"{error}; what was known stays in force")
                except Away as error:
                    wait = backoff.wait(error.after)
                    self._healths["sharing"].failed(f"{error}; what was known stays in force")
                except Refused as error:
                    wait = backoff.wait(self._pace.longest_wait)
                    self._healths["sharing"].failed(f"{error}; what was known stays in force")
                self._report()
            await asyncio.sleep(wait)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(news.wait(), self._pace.look)

    @property
    def is_synced(self) -> bool:
        """Whether all is known that there is to know."""
        return self.services.synced and self.config_maps.synced

    def wishes(self) -> Wishes:
        """What this node wants; raises `Invalid`."""
        settings, begun, spread = self._configuration.read()
        local = state.read(os.path.join(self._directory, LEDGER)) if self.config_map.found is None else ""
        if local:
            # What is in force here counts more than what it began with, should the ConfigMap be deleted.
            begun = ledgers.read(local, LEDGER)
        found = (self.services.objects[key] for key in sorted(self.services.objects))
        services = tuple(one for one in found if not isinstance(one, Unfit))
        return Wishes(settings, self._room, spread, services, begun)

    async def _act(self) -> bool:
        """One step; returns whether another one is to be made at once. Raises `Invalid`, `Away` or `Refused`."""
        if not self.is_synced:
            return False
        now = self.services.changes, self.config_maps.changes, self._configuration.read()[0]
        if now == self._stands_for and self._standing:
            return await self._tidy(*self._standing)
        wishes, shared = self.wishes(), self.config_map.shared()
        outcome = needed(wishes, shared)
        self._healths["variables"].succeeded(False)
        self._say(self.remarks(wishes, outcome))
        if outcome.shared != shared:
            before = self.config_maps.changes
            await asyncio.sleep(random.uniform(0, JITTER))  # noqa: S311 - nothing secret
            if before == self.config_maps.changes:
                await self.config_map.save(outcome.shared)
            return True
        self._healths["sharing"].succeeded(False)
        self._write(wishes, shared)
        if self._standing != (wishes, shared):
            self._standing, self._since = (wishes, shared), time.monotonic()
        self._stands_for = now
        return False

    async def _tidy(self, wishes: Wishes, shared: Shared) -> bool:
        """Take out what nobody wants, when nothing has changed for long; returns whether there was anything."""
        if time.monotonic() - self._since < self._pace.settled:
            return False
        self._since = time.monotonic()
        after = tidied(wishes, shared)
        if after != shared:
            await self.config_map.save(after)
        return after != shared

    def _write(self, wishes: Wishes, shared: Shared) -> None:
        """Write what is in force, the ledger first; raises `OSError`."""
        env = written_env([checked for checked, _ in served(wishes, shared)])
        ledger = ledgers.write(shared.ledger) if shared.ledger is not None else ""
        for name, text in ((LEDGER, ledger), (ENV, env)):
            path = os.path.join(self._directory, name)
            if text and state.read(path) != text:
                state.replace(path, text, sync=True)

    def remarks(self, wishes: Wishes, outcome: Outcome) -> Iterator[str]:
        """What is to be said of Services, and of variables without a VIP."""
        if not wishes.own:
            yield ALONE
        yield from (str(one) for one in self.services.objects.values() if isinstance(one, Unfit))
        yield from (f"{why}; it has no VIP" for why in outcome.refused.values())
        yield from dict.fromkeys(one.remark for _, one in served(wishes, outcome.shared) if one.remark)

    def _say(self, remarks: Iterator[str]) -> None:
        now = frozenset(remarks)
        new = sorted(now - self._said)
        for line in new[:MOST_REMARKS]:
            self._tell(line)
        if new[MOST_REMARKS:]:
            self._tell(f"and {len(new) - MOST_REMARKS} more Services are passed over, or not checked")
        self._said = now

    def _report(self) -> None:
        """Write how it fares, when that is new and from time to time; raises `OSError`."""
        trouble = next((one.trouble for one in self._healths.values() if one.trouble), "")
        now = trouble, self._said, self._standing, self.services.changes
        if now == self._reported_of and time.monotonic() - self._reported < self._pace.report:
            return
        self._reported_of, self._reported = now, time.monotonic()
        services = len(self._standing[0].services) if self._standing else 0
        vips = len(served(*self._standing)) if self._standing else 0
        remarks = tuple(sorted(self._said))[:MOST_REMARKS]
        FollowReport(trouble, services, vips, remarks).write(self._directory)

    async def _own(self) -> None:
        """Tell the cluster for ever which VIPs are here."""
        backoff = Backoff(self._pace)
        health = self._healths["owner"]
        while True:
            wait = self._pace.look
            with health.looked_at():
                try:
                    await self._tell_owner()
                    backoff.reset()
                except Away as error:
                    wait = backoff.wait(error.after)
                    health.failed(f"{error}; the owner of VIPs is told later")
            await asyncio.sleep(wait)

    async def _tell_owner(self) -> None:
        now = self._addresses.present(), self._standing
        if self._standing is None or (now == self._told_of and self._owner.is_done):
            return
        await self._owner.tell(*self._standing, self.services.put)
        self._healths["owner"].succeeded(False)
        self._told_of = now
