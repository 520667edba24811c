"""The rules of nftables, as `nft -j` lists them: what becomes of a packet in the chains that the kernel gives it to."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from hachecks.ipfailover.family import IPV4
from hachecks.ipfailover.pod.firewall.model import ACCEPT, DROP, GOTO, JUMP, RETURN, Chain, Drop, Rule, Walk
from hachecks.ipfailover.pod.firewall.packet import all_of, either, negated
from hachecks.ipfailover.pod.firewall.programs import Refused, run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from hachecks.ipfailover.pod.firewall.packet import Packet

HOOKS = {True: ("ingress", "prerouting", "input"), False: ("output", "postrouting", "egress")}
AT_DEVICES = ("ingress", "egress")
FIREWALLD = "firewalld"
VERDICTS = {"accept": ACCEPT, "drop": DROP, "reject": DROP, "return": RETURN, "jump": JUMP, "goto": GOTO}
TARGETS = {"DROP": DROP, "REJECT": DROP, "ACCEPT": ACCEPT, "RETURN": RETURN}
STRANGE = (ValueError, KeyError, TypeError, AttributeError, RecursionError, StopIteration)
"""What comes of a listing that another nft makes in another way."""
NOTRACK = "notrack"
KINDS = ("chain", "rule")
PRIORITIES = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}
"""Those of the chains of iptables, by their table."""
NO_RULE = ("table", "chain", "type", "}", "#")
COMMENT = re.compile(r"/\*.*?\*/")
NO_MATCH = ("counter", "log", "comment", "mangle", "notrack", "meter", "set", "tproxy", "flow")
"""Statements that do something with a packet, and let it go on."""


def drops(packet: Packet, listing: Listing, leave_out: Collection[tuple[str, str]] = ()) -> Iterator[Drop]:
    """Where a packet is dropped, or may be; `leave_out` are tables that are looked at otherwise.

    Raises `Refused`.
    """
    for family, table, bases in _tables(packet, listing, leave_out):
        chains = _understood(listing.of("table", family, table), packet)
        for one in bases:
            comes = _comes_to(one, packet)
            if one["name"] in chains and comes is not False:
                for drop in Walk(chains).drops(one["name"], sure=comes is True):
                    yield drop._replace(cure=_cure(drop.place, family, table))


def may_untrack(packet: Packet, listing: Listing, leave_out: Collection[tuple[str, str]] = ()) -> bool:
    """Whether there is a rule by which its connection may not be followed; raises `Refused`."""
    for family, table, _ in _tables(packet, listing, leave_out):
        rules = (one["expr"] for one in listing.of("table", family, table) if "expr" in one)
        for statements in rules:
            if any(NOTRACK in one for one in statements) and _rule(statements, packet, "").matches is not False:
                return True
    return False


def _tables(
    packet: Packet, listing: Listing, leave_out: Collection[tuple[str, str]]
) -> Iterator[tuple[str, str, list[Any]]]:
    """The tables that a packet comes to, and their chains that the kernel gives it to; raises `Refused`."""
    found: dict[tuple[str, str], list[Any]] = {}
    for one in listing.of("chains"):
        where = str(one["family"]), str(one["table"])
        comes = one.get("hook") in HOOKS[packet.passage.incoming] and where[0] in ("netdev", "inet", family_of(packet))
        if comes and where not in leave_out:
            found.setdefault(where, []).append(one)
    for (family, table), bases in found.items():
        yield family, table, bases


def family_of(packet: Packet) -> str:
    """The family of a packet, as nftables calls it."""
    return "ip" if packet.passage.family == IPV4 else "ip6"


def _comes_to(chain: Any, packet: Packet) -> bool | None:
    """Whether a packet comes to a chain of the kernel's hooks; nft 1.0.6 does not say at which interfaces one is."""
    if chain.get("type") == "nat":
        return None  # nothing of a connection does that is known already
    if chain.get("hook") not in AT_DEVICES:
        return True
    names = chain.get("dev")
    return None if names is None else packet.interface in ([names] if isinstance(names, str) else names)


def _cure(place: str, family: str, table: str) -> str:
    """What lets adverts through, in the words of whoever has the rule."""
    if table == FIREWALLD:
        return "firewall-cmd --permanent --add-protocol=vrrp, then firewall-cmd --reload"
    words = place.split()
    return f"nft insert rule {family} {table} {words[words.index('chain') + 1]} meta l4proto 112 accept"


class Listing:
    """What nft lists, each thing asked once; the elements of named sets and maps are left out, which may be many."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], list[Any]] = {}

    def of(self, *what: str) -> list[Any]:
        """The chains and rules of a listing; raises `Refused`."""
        if what not in self._known:
            try:
                found = json.loads(run("nft", "-j", "-t", "list", *what))["nftables"]
                self._known[what] = [inner for one in found for name, inner in one.items() if name in KINDS]
            except STRANGE as error:
                raise Refused("nft", f"what it lists is not understood: {error}") from None
        return self._known[what]

    def own(self, family: str, tables: Iterable[str]) -> set[str]:
        """Those of these tables that are there as iptables makes them; raises `Refused`.

        What others put into tables of the same names is read by iptables with parts left out.
        """
        bases: dict[str, list[Any]] = {}
        for one in self.of("chains"):
            if one["family"] == family:
                bases.setdefault(str(one["table"]), []).extend([one] if "hook" in one else [])
        found = [one for one in tables if one in bases and all(map(_is_own_base, bases[one]))]
        return {one for one in found if all(map(_is_own, run("nft", "-t", "list", "table", family, one).splitlines()))}


def _is_own_base(chain: Any) -> bool:
    """Whether a chain that the kernel gives packets to may be of iptables."""
    return bool(chain["name"] == chain["hook"].upper() and chain.get("prio") == PRIORITIES.get(chain["table"]))


def _is_own(line: str) -> bool:
    """Whether a line of a table may be of iptables: each of its rules counts, and none looks something up in a set."""
    words = COMMENT.sub("", line).split()
    if not words or words[0] in NO_RULE:
        return True
    matches = words[: words.index("counter")] if "counter" in words else None
    return matches is not None and not any(word.startswith(("@", "{")) for word in matches)


def _understood(listed: list[Any], packet: Packet) -> Mapping[str, Chain]:
    try:
        return _chains(listed, packet)
    except STRANGE as error:
        raise Refused("nft", f"what it lists is not understood: {error}") from None


def _chains(listed: list[Any], packet: Packet) -> Mapping[str, Chain]:
    rules: dict[str, list[Rule]] = {}
    places: dict[str, tuple[str, str]] = {}
    for one in listed:
        table = f"table {one['family']} {one['table']}"
        if "expr" in one:
            place = f"rule handle {one['handle']} of chain {one['chain']} in {table}"
            rules.setdefault(one["chain"], []).append(_rule(one["expr"], packet, place))
        else:
            places[one["name"]] = str(one.get("policy", ACCEPT)), f"the policy of chain {one['name']} in {table}"
    return {name: Chain(rules.get(name, ()), policy, place) for name, (policy, place) in places.items()}


def _rule(statements: list[Any], packet: Packet, place: str) -> Rule:
    matches: list[bool | None] = []
    for statement in statements:
        kind, said = next(iter(statement.items()))
        if kind == "match":
            matches.append(_match(said, packet))
        elif kind in VERDICTS:
            target = str(said.get("target", "")) if isinstance(said, dict) else ""
            return Rule(all_of(matches), VERDICTS[kind], target, place)
        elif kind == "vmap":
            return _mapped(said, packet, matches, place)
        elif kind == "xt" and said.get("type") == "target":
            return Rule(all_of(matches), TARGETS.get(said.get("name"), ""), "", place)
        elif kind not in NO_MATCH and not (kind == "xt" and said.get("name") == "comment"):
            matches.append(None)
    return Rule(all_of(matches), "", "", place)


def _mapped(said: Any, packet: Packet, matches: list[bool | None], place: str) -> Rule:
    """A rule that has a verdict for each value: the first that is surely right, else one that may let it through."""
    entries = said["data"].get("set", ()) if isinstance(said["data"], dict) else None
    if entries is None:
        return Rule(None, ACCEPT, "", place)
    unsure = False
    for value, verdict in entries:
        answer = _match({"op": "==", "left": said["key"], "right": value}, packet)
        kind, inner = next(iter(verdict.items()))
        if answer:
            target = str(inner.get("target", "")) if isinstance(inner, dict) else ""
            return Rule(all_of(matches), VERDICTS.get(kind, ""), target, place)
        unsure = unsure or answer is None
    return Rule(all_of([*matches, None if unsure else False]), ACCEPT, "", place)


def _match(said: Any, packet: Packet) -> bool | None:
    asked = _asked(said["left"], packet)
    if asked is None or isinstance(asked, bool):
        return asked
    found = either(_answer(asked, value) for value in _values(said["right"]))
    return {"==": found, "in": found, "!=": negated(found)}.get(said["op"])


def _values(right: Any) -> list[Any]:
    if isinstance(right, dict) and "set" in right:
        return list(right["set"]) if isinstance(right["set"], list) else [right["set"]]
    return list(right) if isinstance(right, list) else [right]


def _answer(asked: Callable[[str], bool | None], value: Any) -> bool | None:
    if isinstance(value, dict) and isinstance(value.get("prefix"), dict):
        return asked(f"{value['prefix']['addr']}/{value['prefix']['len']}")
    if isinstance(value, dict) and isinstance(value.get("elem"), dict):
        return _answer(asked, value["elem"].get("val"))
    if isinstance(value, (str, int)) and not str(value).startswith("@"):
        return asked(str(value))
    return None


def _asked(left: Any, packet: Packet) -> Callable[[str], bool | None] | bool | None:
    """How a value is compared with the packet; False where it has no such field, None where that is not known."""
    if "meta" in left:
        return {
            "l4proto": packet.has_protocol,
            "nfproto": packet.has_family,
            "protocol": packet.has_family,
            "iifname": packet.comes_by,
            "iif": packet.comes_by,
            "oifname": packet.goes_by,
            "oif": packet.goes_by,
            "pkttype": packet.is_cast,
        }.get(left["meta"].get("key"))
    if "ct" in left:
        return packet.has_state if left["ct"].get("key") == "state" else None
    if "fib" in left:
        kinds = left["fib"]
        by_destination = kinds.get("result") == "type" and kinds.get("flags") in ("daddr", ["daddr"])
        return packet.is_cast_to if by_destination else None
    return _field(left["payload"], packet) if isinstance(left.get("payload"), dict) else None


def _field(payload: Any, packet: Packet) -> Callable[[str], bool | None] | bool | None:
    protocol, field = payload.get("protocol"), payload.get("field")
    if protocol in ("ip", "ip6"):
        if not packet.has_family(protocol):
            return False
        return {
            "protocol": packet.has_protocol,
            "nexthdr": packet.has_protocol,
            "saddr": packet.is_from,
            "daddr": packet.is_to,
        }.get(field)
    if (protocol, field) == ("ether", "type"):
        return packet.has_family
    return False if protocol in ("tcp", "udp", "icmp", "icmpv6", "igmp", "sctp", "dccp", "ah", "esp") else None
