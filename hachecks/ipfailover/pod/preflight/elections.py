"""Who else takes part in the elections of our ids and VIPs: peers, peers that would not hear us, and strangers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.family import IPV4, family
from hachecks.ipfailover.pod.preflight.finding import Finding, listed
from hachecks.ipfailover.vips import parse_address, sort_key
from hachecks.wire.frames import BY_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from hachecks.ipfailover.plan import Instance
    from hachecks.ipfailover.render.target import Target
    from hachecks.wire.frames import Advert

WAYS = {True: "multicast", False: "unicast"}
MOST_LINES = 5
"""Lines on strangers: a segment may be full of them."""
MIGRATE = "change all nodes at once, by hacheck ipfailover migrate"


class Difference(NamedTuple):
    """How adverts for VIPs of ours differ from ours: which VIPs, whose adverts, in what, and an example of that."""

    vips: tuple[str, ...]
    who: str
    what: str
    how: str


def look(target: Target, adverts: Iterable[Advert], own: Collection[str]) -> Iterator[Finding]:
    """What is to be said of the adverts on this segment; `own` are the addresses of this node."""
    strange: dict[str, set[int]] = {}
    differing: dict[str, list[Difference]] = {}
    ours: dict[str, None] = {}
    for advert in adverts:
        if not advert.priority:
            continue  # it resigns
        same_id, carried = _instance(target, advert), _carried(target, advert)
        who = f"{advert.source} ({advert.mac})"
        if carried and (difference := _difference(target, advert, same_id, carried)):
            differing.setdefault(difference.what, []).append(difference._replace(who=who))
        elif same_id and not carried:
            strange.setdefault(who, set()).add(advert.id)
        elif carried and advert.source in own:
            ours[advert.mac] = None
    interface = target.settings.interface
    for _, those in sorted(differing.items()):
        yield Finding(_differs(interface, those), "wait")
    for ids, names in sorted(_by_ids(strange).items(), key=lambda one: sorted(one[0])):
        yield Finding(_taken(interface, names, sorted(ids)), "warn")
    for mac in sorted(ours):
        yield Finding(
            f"adverts for our VIPs come on {interface} from this node's own address ({mac}), and Keepalived takes none "
            "of its own: another node has that address too, or the segment sends back what we send",
            "warn",
        )


def _by_ids(strange: Mapping[str, set[int]]) -> Mapping[frozenset[int], list[str]]:
    """Who has the same ids, in a few lines: of a great many, the ids that any of them has."""
    found: dict[frozenset[int], list[str]] = {}
    for who, ids in strange.items():
        found.setdefault(frozenset(ids), []).append(who)
    if len(found) <= MOST_LINES:
        return found
    return {frozenset().union(*found): list(strange)}


def _differs(interface: str, those: list[Difference]) -> str:
    # In one order whichever advert came first: what is told again must be the same line.
    who = listed(sorted({one.who for one in those}))
    vips = sorted({vip for one in those for vip in one.vips}, key=lambda vip: sort_key(parse_address(vip)))
    verb, how = "are" if len(vips) > 1 else "is", min(one.how for one in those)
    return (
        f"{listed(vips)} {verb} advertised on {interface} by {who} {how}: neither would hear the other, and both be "
        f"master; {MIGRATE}"
    )


def _taken(interface: str, names: list[str], ids: list[int]) -> str:
    name, them = ("id", "it") if len(ids) == 1 else ("ids", "them")
    has, says = ("s" * (len(ids) == 1), "s" * (len(names) == 1))
    return (
        f"the {name} {listed(map(str, ids))} on {interface} belong{has} to {listed(sorted(names))}, which "
        f"advertise{says} other addresses than ours; leave {them} out by HA_EXCLUDED_VRRP_IDS, or move "
        "OPENSHIFT_HA_VRRP_ID_OFFSET"
    )


def _instance(target: Target, advert: Advert) -> Instance | None:
    """Our instance with its id and family."""
    wanted = advert.family == "ipv4"
    found = (one for one in target.plan.instances if one.id == advert.id and (family(one.vips[0]) == IPV4) == wanted)
    return next(found, None)


def _carried(target: Target, advert: Advert) -> Instance | None:
    """The first of our instances of whose VIPs it carries one."""
    said = set(advert.addresses)
    return next((one for one in target.plan.instances if not said.isdisjoint(one.vips)), None)


def _difference(target: Target, advert: Advert, same_id: Instance | None, carried: Instance) -> Difference | None:
    """Why its sender and we would not hear each other; None where we would."""
    for what, how in _differences(target, advert, same_id, carried):
        return Difference(carried.vips[: carried.advertised], "", what, how)
    return None


def _differences(
    target: Target, advert: Advert, same_id: Instance | None, carried: Instance
) -> Iterator[tuple[str, str]]:
    version, interval = target.vrrp(carried), target.settings.advert_interval
    if same_id is not carried:
        yield "id", f"under the id {advert.id}, which is {carried.id} here"
    if advert.version != version:
        yield "version", f"by VRRP {advert.version}, which is {version} here"
    if version == 2 and advert.advert_interval != interval:
        yield "interval", f"every {advert.advert_interval:g} s, which is {interval:g} s here"
    if version == 2 and advert.auth_type != BY_PASSWORD:
        yield "password", "without a password, which they have here"
    elif version == 2 and advert.password != target.password.encode():
        yield "password", "with another password than here"
    if sorted(advert.addresses) != sorted(carried.vips[: carried.advertised]):
        yield "addresses", f"with {len(advert.addresses)} addresses, which is {carried.advertised} here"
    if advert.is_multicast == target.plan.unicast:
        yield (
            "way",
            "by multicast, which is unicast here" if advert.is_multicast else "by unicast, which is multicast here",
        )
    elif target.plan.unicast and advert.source not in target.settings.unicast_peers:
        yield "peer", "which is none of the peers"
