"""VIPs that a killed Keepalived has left on this node: taken off before another starts, with their real prefix."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from hachecks import state
from hachecks.ipfailover.pod.preflight import links
from hachecks.ipfailover.pod.preflight.finding import listed
from hachecks.ipfailover.pod.preflight.leaving import Leaving
from hachecks.ipfailover.vips import LIMIT, parse_address
from hachecks.keepalived.process import KeepalivedProcess

# isort: split
from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from hachecks.ipfailover.pod.preflight.links import Held, Links

NAME = "vips.json"
LISTEN = 3.5
"""Seconds for which it is heard whether somebody here advertises: three adverts of most configurations."""
LOOK_EVERY = 0.05
"""Seconds between two looks for Keepalived, while it may be starting again."""


class Left(NamedTuple):
    """An address that is on an interface though nobody keeps it there; `why` it has to stay, empty where it has not."""

    held: Held
    interface: str
    why: str

    def __str__(self) -> str:
        return f"{self.held.address}/{self.held.length}"


def remember(directory: str, vips: Iterable[str], interface: str) -> None:
    """Note in the state directory what Keepalived is going to put on an interface; raises `OSError`.

    What was noted before stays, until it is taken off: a VIP that leaves the configuration may be left on the node.
    """
    noted = {interface: sorted(vips), **{name: list(there) for name, there in _noted(directory).items()}}
    noted[interface] = sorted({*noted[interface], *vips})[: 4 * LIMIT]
    state.replace(os.path.join(directory, NAME), json.dumps(noted))


def remove(vips: Iterable[str], interface: str, directory: str = "") -> list[str]:
    """Take off the VIPs, and those noted in the state directory; sentences on what was done, and what was not.

    It is for the time before Keepalived starts and after it has ended, never for a reload. Where a Keepalived runs in
    this network namespace, which may be another's, VIPs stay that somebody advertises from here.
    """
    wanted = tuple(vips)
    try:
        there = links.read()
        found = list(_left(wanted, interface, there, _noted(directory) if directory else {}))
        said = list(_taken_off(found)) if found else []
    except OSError as error:
        return [f"whether VIPs are left on {interface} cannot be seen: {error.strerror or error}"]
    if directory and not said:
        _forget(directory, wanted, interface)
    return said


def _taken_off(found: list[Left]) -> Iterator[str]:
    running = keepalived_runs()
    if running and (served := advertised_here({one.held.address for one in found})):
        names = listed(map(str, found))
        yield (
            f"{names} stay{'s' * (len(found) == 1)} on this node: a Keepalived runs here ({running}), and "
            f"{listed(sorted(served))} {'is' if len(served) == 1 else 'are'} advertised by it; stop it, or serve others"
        )
        return
    yield from _removed(found)


def left_behind(vips: Iterable[str], interface: str, there: Links) -> list[str]:
    """The VIPs on the interface, with their prefixes, which nobody keeps there where no Keepalived runs."""
    return [str(one) for one in _left(tuple(vips), interface, there, {})]


def keepalived_runs() -> str:
    """How it is known that a Keepalived runs in this network namespace; empty where none does."""
    process = KeepalivedProcess()
    while True:
        # Where processes cannot be seen, a Keepalived that serves something has a socket.
        running = process.look(expects_sockets=True)
        if not process.is_undecided:
            return running.evidence if running.runs is not False else ""
        time.sleep(LOOK_EVERY)


def advertised_here(vips: Collection[str], seconds: float = LISTEN) -> set[str]:
    """Those VIPs for which an advert leaves this node within so many seconds: their master lives. Raises `OSError`."""
    found: set[str] = set()
    until = time.monotonic() + seconds
    with Leaving() as leaving:
        while not found and (left := until - time.monotonic()) > 0:
            found.update(vip for said in leaving.take(left) for vip in said.addresses if vip in vips)
    return found


def _left(vips: tuple[str, ...], interface: str, there: Links, noted: dict[str, tuple[str, ...]]) -> Iterator[Left]:
    for name in dict.fromkeys((interface, *noted)):
        ours = {*noted.get(name, ()), *(vips if name == interface else ())}
        own = there.on(name)
        for held in own:
            if held.address in ours:
                yield Left(held, name, _needed(held, own, held.address in vips))


def _needed(held: Held, own: tuple[Held, ...], is_vip: bool) -> str:
    """Why an address may not be taken off: it is the node's own, or others on the interface hang from it."""
    if not any(one != held and (":" in one.address) == (":" in held.address) for one in own):
        return "it is the only one there of its family, so it is the node's own"
    if held.is_single:
        return ""
    if not is_vip:
        return "it is no VIP any more, and has a subnet as a node's own address has"
    # The kernel takes those of the same subnet with it, unless promote_secondaries is set.
    if not held.secondary and any(one.secondary and one.network == held.network for one in own):
        return "other addresses of its subnet would go with it"
    return ""


def _removed(found: list[Left]) -> Iterator[str]:
    done: dict[str, list[str]] = {}
    with IPRoute() as netlink:
        for one in found:
            if one.why:
                yield f"{one} stays on {one.interface}: {one.why}; take it off, or out of the VIPs"
                continue
            try:
                netlink.addr("del", index=one.held.link, address=one.held.address, prefixlen=one.held.length)
                done.setdefault(one.interface, []).append(str(one))
            except NetlinkError as error:
                yield f"{one} cannot be removed from {one.interface}: {os.strerror(error.code)}; it has two owners soon"
    for name, those in done.items():
        verb = "were" if len(those) > 1 else "was"
        yield f"{listed(those)} {verb} left on {name} by a Keepalived that was killed, and {verb} removed"


def _noted(directory: str) -> dict[str, tuple[str, ...]]:
    """What the state directory tells by interface; nothing where that is no file of ours."""
    try:
        found: Any = json.loads(state.read(os.path.join(directory, NAME)))
        return {
            str(name): tuple(str(parse_address(one)) for one in those[: 4 * LIMIT]) for name, those in found.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _forget(directory: str, vips: tuple[str, ...], interface: str) -> None:
    """Keep of what was noted only what is to be served from now on."""
    try:
        state.replace(os.path.join(directory, NAME), json.dumps({interface: sorted(vips)}))
    except OSError:  # the next run looks for more than it had to
        return
