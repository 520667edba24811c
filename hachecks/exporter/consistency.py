"""What contradicts what? Said in plain words, for a person at 3 a.m."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from hachecks.exporter.view import Instance
    from hachecks.keepalived.configuration import VrrpInstance

    K = TypeVar("K")


def expected(state: str, keepalived_runs: bool | None) -> bool | None:
    """Whether an instance in this state has its VIPs; None where the state is not known."""
    if state == "UNKNOWN":
        return False if keepalived_runs is False else None
    return state == "MASTER"


def mismatch(address: str, state: str, keepalived_runs: bool | None, present_on: Sequence[str], wanted: bool) -> str:
    """The contradiction in one sentence; empty when the VIP is just where it is to be."""
    if wanted == bool(present_on):
        return ""
    says = f"Keepalived says {state}"
    if wanted:
        return f"{says}, but {address} is on no interface"
    if keepalived_runs is False:
        says = "Keepalived does not run"
    return f"{says}, but {address} is {'still ' if keepalived_runs is False else ''}on {' and '.join(present_on)}"


def hints(
    configured: Sequence[VrrpInstance], instances: Sequence[Instance], keepalived_runs: bool | None
) -> Iterator[str]:
    """What is missing for a full picture, or is a mistake of the configuration."""
    silent = [instance.name for instance in instances if instance.state == "UNKNOWN"]
    if silent and keepalived_runs is not False:
        yield (
            f"Keepalived has said nothing of {_some(silent)} yet: "
            'give each vrrp_instance the line notify "sh /etc/keepalive/hacheck notify" '
            "(/usr/bin/sh where script_user is not root), and see whether Keepalived's log says that it disables it"
        )
    ids: dict[tuple[str, int, str], list[str]] = {}
    addresses: dict[str, list[str]] = {}
    for instance in configured:
        if instance.vrid is not None:
            ids.setdefault((instance.interface, instance.vrid, instance.family), []).append(instance.name)
        for one in instance.addresses:
            addresses.setdefault(one.address, []).append(instance.name)
    for (interface, vrid, _), names in _repeated(ids):
        yield f"{_some(names)} have virtual_router_id {vrid} on {interface}: give each an id of its own"
    for address, names in _repeated(addresses):
        yield f"{address} is a VIP of {_some(names)}: leave it to one of them"


def _repeated(names_by: Mapping[K, list[str]]) -> Iterable[tuple[K, list[str]]]:
    return ((key, names) for key, names in names_by.items() if len(names) > 1)


def _some(names: Sequence[str]) -> str:
    """`a, b and c`, or `a, b, c and 252 more`."""
    shown = list(names) if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
