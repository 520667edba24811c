"""Constraints on where VIPs go: OPENSHIFT_HA_PREFER, OPENSHIFT_HA_APART and OPENSHIFT_HA_TOGETHER, made into units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.spread import Unit
from hachecks.ipfailover.vips import parse_address, sort_key
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hachecks.ipfailover.settings import Settings
    from hachecks.ipfailover.vips import Vips

PREFER, APART, TOGETHER = "OPENSHIFT_HA_PREFER", "OPENSHIFT_HA_APART", "OPENSHIFT_HA_TOGETHER"


class Units:
    """The units of a configuration, and the one that each instance, by its first VIP, is in."""

    def __init__(self, settings: Settings, instances: Sequence[Sequence[str]], nodes: Sequence[str]) -> None:
        self._settings = settings
        self._instance_of = {vip: vips[0] for vips in instances for vip in vips}
        self.of = {vips[0]: vips[0] for vips in instances}
        self._join()
        weights: dict[str, int] = {}
        for vips in instances:
            weights[self.of[vips[0]]] = weights.get(self.of[vips[0]], 0) + len(vips)
        prefer, apart = self._preferences(nodes), self._rivals()
        self.units = [
            Unit(key, weight, prefer.get(key, ()), frozenset(apart.get(key, ()))) for key, weight in weights.items()
        ]

    def _unit(self, vip: str, variable: str) -> str:
        if vip not in self._instance_of:
            raise Invalid(f"{self._settings.where(variable)}: {vip} is none of the VIPs; name one of them")
        return self.of[self._instance_of[vip]]

    def _join(self) -> None:
        """Make one unit of those that are to be together."""
        for one in self._settings.together:
            keys = {self._unit(str(vip), TOGETHER) for vip in one.addresses}
            # The lowest address stands for all, in whatever order they are given.
            joined = min(keys, key=_by_address)
            self.of = {first: joined if key in keys else key for first, key in self.of.items()}

    def _preferences(self, nodes: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """The preferred nodes of each unit that has any."""
        where = self._settings.where(PREFER)
        found: dict[str, tuple[str, ...]] = {}
        said: set[str] = set()
        for one, preferred in self._settings.prefer:
            strange = next((node for node in preferred if node not in nodes), None)
            if strange:
                raise Invalid(f"{where}: {strange} is none of the nodes {', '.join(nodes)}; name one of them")
            for vip in map(str, one.addresses):
                key = self._unit(vip, PREFER)
                if vip in said:
                    raise Invalid(f"{where}: {vip} is named twice; name its nodes once, the best first")
                said.add(vip)
                if found.setdefault(key, preferred) != preferred:
                    raise Invalid(f"{where}: {vip} is of one instance or set with {key}, which prefers other nodes")
        return found

    def _rivals(self) -> Mapping[str, set[str]]:
        """The units that each is to be kept apart from."""
        found: dict[str, set[str]] = {}
        for one in self._settings.apart:
            keys = self._apart(one)
            for key in keys:
                found.setdefault(key, set()).update(keys - {key})
        return found

    def _apart(self, one: Vips) -> set[str]:
        keys: dict[str, str] = {}
        for vip in map(str, one.addresses):
            key = self._unit(vip, APART)
            if key in keys:
                raise Invalid(
                    f"{self._settings.where(APART)}: {keys[key]} and {vip} are of one instance "
                    f"(OPENSHIFT_HA_VIP_GROUPS) or together ({TOGETHER}), and cannot be apart"
                )
            keys[key] = vip
        return set(keys)


def _by_address(vip: str) -> tuple[int, int]:
    return sort_key(parse_address(vip))
