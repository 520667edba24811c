"""The ConfigMap in the cluster in which all nodes keep what they agree on: read from a watch, written by a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.follow import shared as sharing
from hachecks.ipfailover.follow.api import CONFLICT, NOT_FOUND, Refused

if TYPE_CHECKING:
    from typing import Any

    from hachecks.ipfailover.follow.api import Api
    from hachecks.ipfailover.follow.shared import Shared
    from hachecks.ipfailover.follow.watch import Watch


def path_of(api: Api) -> str:
    """Where the ConfigMaps of the pod's namespace are."""
    return f"/api/v1/namespaces/{api.namespace}/configmaps"


class SharedMap:
    """The ConfigMap of this name, as the watch has it."""

    def __init__(self, api: Api, name: str, watch: Watch) -> None:
        self._api = api
        self._name = name
        self._watch = watch

    @property
    def found(self) -> dict[str, Any] | None:
        """The whole object; None where there is none."""
        return self._watch.objects.get(f"{self._api.namespace}/{self._name}")

    def shared(self) -> Shared:
        """What it says; raises `Invalid`."""
        return sharing.read(self.found, f"ConfigMap {self._api.namespace}/{self._name}")

    async def save(self, shared: Shared) -> None:
        """Write what is shared, unless somebody else has done so; then that is read. Raises `Away` or `Refused`."""
        old = self.found
        body = sharing.changed(old, self._name, self._api.namespace, shared)
        path = path_of(self._api)
        try:
            if old:
                found = await self._api.ask("PUT", f"{path}/{self._name}", body=body)
            else:
                found = await self._api.ask("POST", path, body=body)
        except Refused as error:
            if error.status not in (CONFLICT, NOT_FOUND):
                raise
            return await self._read()
        return self._watch.put(found)

    async def _read(self) -> None:
        try:
            found = await self._api.ask("GET", f"{path_of(self._api)}/{self._name}")
        except Refused as error:
            if error.status != NOT_FOUND:
                raise
            return self._watch.forget()
        return self._watch.put(found)
