"""The interface that each address of an instance is to be on: VMACs, their names, and what they do to addresses.

Keepalived makes up the names of interfaces in the order of the instances (vrrp.c of 2.2.7). Interfaces that are on the
machine already with just these names and addresses are not known here.
"""

from __future__ import annotations

from hachecks.keepalived.instance import MAX_INTERFACE_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hachecks.keepalived.instance import Address, Draft

VMAC_PREFIX = "vrrp"
"""What the names of VMACs begin with, where no vmac_prefix says otherwise."""


class Interfaces:
    """The interfaces that Keepalived makes, by what it looks for when it looks for one that is there already."""

    def __init__(self, drafts: Iterable[Draft], prefix: str, address_prefix: str) -> None:
        self.prefix = prefix or VMAC_PREFIX
        self.address_prefix = address_prefix or self.prefix
        self.taken: dict[str, Draft | None] = {}
        self._last: dict[tuple[str, int | None, str], int] = {}
        self.made: dict[tuple[str, str], str] = {}
        for draft in drafts:
            self._reserve(draft)

    def _reserve(self, draft: Draft) -> None:
        """Names that are configured go before those that are made up."""
        name = draft.vmac_name
        if name and name in self.taken:
            draft.tell(draft.block, f"{name} is the interface of another instance; Keepalived makes up another name")
            draft.vmac_name = ""
        elif name:
            self.taken[name] = draft

    def of_instance(self, draft: Draft) -> str:
        """The interface that carries an instance."""
        if not (draft.vmac or draft.ipvlan):
            return draft.interface
        key = (draft.interface, _mac(draft, draft.family))
        name = self.made.get(key, "") if draft.vmac else ""
        name = name or draft.vmac_name or self._made_up(self.prefix, draft.vrid, draft.family)
        if draft.vmac:
            self.made[key] = name
        draft.vmac_name = name
        return name

    def of_address(self, address: Address, draft: Draft, carrier: str) -> str:
        """The interface that an address is to be on; empty where there is none."""
        own = address.device is None or address.device == draft.interface
        same_family = address.family == draft.family
        if own and draft.vmac and same_family:
            return carrier
        device = draft.interface if own else address.device or ""
        wanted = address.use_vmac or (draft.vmac_addresses and not (own and same_family))
        if not wanted or not device:
            return device
        key = (device, _mac(draft, address.family))
        if key not in self.made:
            self.made[key] = self._made_up(self.address_prefix, draft.vrid, address.family)
        return self.made[key]

    def _made_up(self, prefix: str, vrid: int | None, family: str) -> str:
        """`vrrp.51`, or the first of `vrrp6.51` (for IPv6), `vrrp1.51`, `vrrp2.51` … that is free."""
        number = self._last.get((prefix, vrid, family), 0)
        name = _name(prefix, str(number or ""), vrid)
        while name in self.taken:
            if family == "ipv6":
                number = {0: 6, 6: 1, 5: 7}.get(number, number + 1)
            else:
                number += 1
            name = _name(prefix, str(number), vrid)
        self._last[prefix, vrid, family] = number
        self.taken[name] = None
        return name


def _name(prefix: str, number: str, vrid: int | None) -> str:
    end = f"{number}.{vrid or 0}"
    return prefix[: MAX_INTERFACE_NAME - len(end)] + end


def _mac(draft: Draft, family: str) -> str:
    return draft.mac or f"{family} {draft.vrid}"
