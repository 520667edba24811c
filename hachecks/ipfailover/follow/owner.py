"""The owner of each VIP, told to the cluster by the node that has it: in the status of its Service, and as an Event.

A node has a VIP while the address is on one of its interfaces, where Keepalived puts it as MASTER.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import time
from typing import TYPE_CHECKING

from hachecks import kept, state
from hachecks.ipfailover.follow.allocation import served, vips_of
from hachecks.ipfailover.follow.api import CONFLICT, MERGE_PATCH, NOT_FOUND, Refused
from hachecks.verdict import in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from hachecks.ipfailover.follow.api import Api
    from hachecks.ipfailover.follow.pace import Pace
    from hachecks.ipfailover.follow.services import Service
    from hachecks.ipfailover.follow.shared import Shared
    from hachecks.ipfailover.follow.wishes import Wishes

TOLD = "services-told.json"
"""The file of the state directory with the Event about each VIP that this node has."""
COMPONENT, REASON = "hacheck", "VirtualIPServed"
MOST_EVENTS = 300
"""That may be written at once: there are 255 ids, and a node may get all."""
MOST_REFUSED = 1000
"""That are remembered: names come and go."""
EVENTS_EACH_SECOND = 0.5
"""In the long run: VIPs that go to and fro must not fill the cluster's store."""


class Owner:
    """Tells the cluster what this node has; `is_here` tells of a VIP whether it does."""

    def __init__(
        self,
        api: Api,
        node: str,
        directory: str,
        is_here: Callable[[str], bool],
        tell: Callable[[str], None],
        pace: Pace,
    ) -> None:
        self._api = api
        self._node = node
        self._path = os.path.join(directory, TOLD)
        self._is_here = is_here
        self._tell = tell
        self._pace = pace
        self._told = self._remembered()
        self._refused: dict[str, float] = {}
        self._said: dict[str, str] = {}
        self._answered: dict[str, str] = {}
        """The version of a Service that its status was last written of, or was in conflict with: it is over."""
        self.is_done = False
        """Whether all has been told that was to be told the last time."""
        self._tokens = float(MOST_EVENTS)
        self._counted = time.monotonic()

    async def tell(self, wishes: Wishes, shared: Shared, answered: Callable[[dict[str, Any]], None]) -> None:
        """Tell what is not told yet; `answered` gets each Service as it is then. Raises `Away`, or `OSError`."""
        self.is_done = False
        if max(len(self._refused), len(self._answered)) > MOST_REFUSED:
            self._refused, self._said, self._answered = {}, {}, {}
        left = 0
        for one in wishes.services:
            vips = vips_of(one, wishes, shared)
            if set(vips) != set(one.ingress) and any(map(self._is_here, vips)):
                left += not await self._write_status(one, vips, answered)
        owned = {checked.vip: service for checked, service in served(wishes, shared) if self._is_here(checked.vip)}
        gone = [vip for vip, one in self._told.items() if vip not in owned or one["uid"] != owned[vip].uid]
        if gone:
            self._told = {vip: one for vip, one in self._told.items() if vip not in gone}
            self._remember()
        for vip, service in owned.items():
            if not self._told.get(vip, {}).get("done"):
                left += not await self._write_event(vip, service)
        self.is_done = not left

    async def _write_status(
        self, service: Service, vips: tuple[str, ...], answered: Callable[[dict[str, Any]], None]
    ) -> bool:
        # Of the version that was seen: what somebody has changed meanwhile is looked at first.
        patch = {
            "metadata": {"resourceVersion": service.version},
            "status": {"loadBalancer": {"ingress": [{"ip": vip, "ipMode": "VIP"} for vip in vips]}},
        }
        path = f"/api/v1/namespaces/{service.namespace}/services/{service.name}/status"
        # The watch tells of the newer one, which may take longer than until the next look.
        if self._answered.get(path) == service.version or not self._may("PATCH", path):
            return False
        try:
            found = await self._api.ask("PATCH", path, body=patch, kind=MERGE_PATCH)
        except Refused as error:
            if error.status == CONFLICT:
                self._answered[path] = service.version
            else:
                self._note(error, "PATCH", path)
            return False
        self._answered[path] = service.version
        answered(found)
        return True

    async def _write_event(self, vip: str, service: Service) -> bool:
        path = f"/api/v1/namespaces/{service.namespace}/events"
        if not (self._may("POST", path) and self._has_token()):
            return False
        if vip not in self._told:
            told = f"{vip} {self._node} {service.uid} {time.time_ns()}"
            name = f"{service.name}.{hashlib.sha256(told.encode()).hexdigest()[:16]}"
            # Remembered before it is written, so that the same one is tried again, and refused, after a restart.
            self._told[vip] = {"uid": service.uid, "event": name, "done": False}
            self._remember()
        try:
            await self._api.ask("POST", path, body=event(self._told[vip]["event"], vip, service, self._node))
        except Refused as error:
            if error.status != CONFLICT:  # it is there already
                self._note(error, "POST", path)
                return False
        self._told[vip]["done"] = True
        self._remember()
        return True

    def _may(self, method: str, path: str) -> bool:
        """Whether it was not refused a short time ago."""
        return time.monotonic() >= self._refused.get(f"{method} {path}", 0.0)

    def _note(self, error: Refused, method: str, path: str) -> None:
        """What is gone is seen by the watch; anything else is told, and tried again much later."""
        if error.status == NOT_FOUND:
            self._refused[f"{method} {path}"] = time.monotonic() + self._pace.look
            return
        self._refused[f"{method} {path}"] = time.monotonic() + self._pace.refused_again
        if self._said.get(path) != str(error):
            self._said[path] = str(error)
            self._tell(f"{error}; it is tried again every {in_words(self._pace.refused_again)}")

    def _has_token(self) -> bool:
        now = time.monotonic()
        self._tokens = min(MOST_EVENTS, self._tokens + (now - self._counted) * EVENTS_EACH_SECOND)
        self._counted = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _remembered(self) -> dict[str, dict[str, Any]]:
        try:
            found = kept.document(state.read(self._path))
        except (OSError, ValueError):
            return {}
        return {vip: one for vip, one in found.items() if _is_told(one)}

    def _remember(self) -> None:
        state.replace(self._path, json.dumps(self._told))


def _is_told(one: object) -> bool:
    return (
        isinstance(one, dict)
        and kept.is_word(one.get("uid"))
        and kept.is_word(one.get("event"))
        and type(one.get("done")) is bool
    )


def event(name: str, vip: str, service: Service, node: str) -> Mapping[str, Any]:
    """The Event that says who has a VIP."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": service.namespace},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Service",
            "namespace": service.namespace,
            "name": service.name,
            "uid": service.uid,
            "resourceVersion": service.version,
        },
        "reason": REASON,
        "message": f"{vip} is served by {node}",
        "type": "Normal",
        "source": {"component": COMPONENT, "host": node},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
