"""The table of nftables that is our own: it holds the rules of each configuration on this node, each with its mark.

It is neither `keepalived` of the stock image, which is shared and deleted by whoever ends first, nor Keepalived's own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from hachecks.ipfailover.family import IPV4
from hachecks.ipfailover.pod.firewall.marks import mark, marked
from hachecks.ipfailover.pod.firewall.passages import IGMP, VRRP
from hachecks.ipfailover.pod.firewall.programs import Refused, run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from hachecks.ipfailover.pod.firewall.passages import Passage

TABLE = "hacheck_ipfailover"
MADE = f"""\
add table inet {TABLE}
add chain inet {TABLE} input {{ type filter hook input priority -5; policy accept; }}
add chain inet {TABLE} output {{ type filter hook output priority -5; policy accept; }}
"""
ABSENT = "No such file or directory"


class Ours(NamedTuple):
    """A rule of the table: the configuration it is for, and where it is."""

    configuration: str
    chain: str
    handle: int


def put(
    configuration: str, wanted: Iterable[Passage], stale: Collection[str], before: Sequence[Ours] = ()
) -> Sequence[Ours]:
    """Have the rules of a configuration, once, and none of those that are stale; raises `Refused`.

    All of it is done or nothing. Returns the rules, and changes nothing where they are still those of `before`: others
    look at the rules whenever somebody changes any.
    """
    found = rules()
    if before and _of(configuration, found) == before and not any(one.configuration in stale for one in found):
        return before
    commands = [MADE, *_deletions(found, {configuration, *stale})]
    comment = f'comment "{mark(configuration)}"'
    for one in wanted:
        chain = "input" if one.incoming else "output"
        commands.append(f"add rule inet {TABLE} {chain} {_matches(one)} accept {comment}\n")
    run("nft", "-f", "-", given="".join(commands))
    return _of(configuration, rules())


def _of(configuration: str, found: Iterable[Ours]) -> list[Ours]:
    return [one for one in found if one.configuration == configuration]


def take(configurations: Collection[str]) -> None:
    """Remove the rules of configurations, and the table where no other rule is left in it; raises `Refused`."""
    found = rules()
    going = [one for one in found if one.configuration in configurations]
    if len(going) < len(found):
        run("nft", "-f", "-", given="".join(_deletions(found, configurations)))
    elif is_there():
        run("nft", "delete", "table", "inet", TABLE)


def rules() -> list[Ours]:
    """The rules in it, of which those that are not marked have no configuration; raises `Refused`."""
    try:
        listed: Any = json.loads(run("nft", "-j", "list", "table", "inet", TABLE))
    except Refused as error:
        if ABSENT in error.why:
            return []
        raise
    except ValueError as error:
        raise Refused("nft", f"what it lists is no JSON: {error}") from None
    found = (one["rule"] for one in listed.get("nftables", ()) if "rule" in one)
    return [Ours(marked(str(one.get("comment", ""))), str(one["chain"]), int(one["handle"])) for one in found]


def is_there() -> bool:
    """Whether somebody has made it; raises `Refused`."""
    try:
        run("nft", "list", "table", "inet", TABLE)
    except Refused as error:
        if ABSENT in error.why:
            return False
        raise
    return True


def _deletions(found: Iterable[Ours], configurations: Collection[str]) -> Iterator[str]:
    for one in found:
        if one.configuration in configurations:
            yield f"delete rule inet {TABLE} {one.chain} handle {one.handle}\n"


def _matches(one: Passage) -> str:
    word = "ip" if one.family == IPV4 else "ip6"
    addresses = "".join(
        f"{word} {which} {address} "
        for which, address in (("saddr", one.source), ("daddr", one.destination))
        if address
    )
    if one.protocol == VRRP:
        return f"{addresses}meta l4proto {VRRP}"
    if one.protocol == IGMP:
        return f"ip protocol {IGMP}"
    return f"icmpv6 type {{ {', '.join(map(str, one.types))} }}"
