"""What the stock image of one version does with variables, on one node or on any."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.stock import generator
from hachecks.ipfailover.stock.features import features
from hachecks.ipfailover.stock.node import interface, ranks
from hachecks.keepalived import openshift
from hachecks.keepalived.arithmetic import Number, number
from hachecks.keepalived.configuration import read_text
from hachecks.keepalived.files import ENDS
from hachecks.keepalived.instance import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hachecks.ipfailover.stock.features import Features
    from hachecks.ipfailover.stock.node import Rank, StockNode
    from hachecks.keepalived.openshift import Item

PLACE = "keepalived.conf"
IMMEDIATE = "preempt"
"""What Keepalived does where no line on preemption counts."""
DELAY = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+", re.ASCII)
LONGEST_DELAY = 1000.0


class StockInstance(NamedTuple):
    """An instance of the stock image.

    `written` are its VIPs as they are in the file, and `vips` those of them that Keepalived serves. `priority` is the
    least and the greatest that it may get, and `master` whether its state is MASTER; both are None where no node is
    known. `preemption` is what counts of the line on it.
    """

    name: str
    number: int
    id: int
    written: tuple[str, ...]
    vips: tuple[str, ...]
    priority: tuple[int, int] | None
    master: bool | None
    preemption: str


class Simulation(NamedTuple):
    """What one version makes of the variables.

    `items` are what the list of VIPs was read as. `numbers` are the variables that bash reckons with, as it takes them;
    where it runs or works out what is in one, `known` is False, and there are no instances and no text. `ends` says why
    Keepalived ends as soon as it is started, and is empty where it runs. `findings` are what else Keepalived passes
    over in the text.
    """

    stock: tuple[int, int]
    items: tuple[Item, ...]
    numbers: Mapping[str, Number]
    known: bool
    interface: str
    instances: tuple[StockInstance, ...]
    check: str
    interval: str
    notify: str
    peers: tuple[str, ...]
    password: str
    ends: str
    findings: tuple[str, ...]
    text: str

    @property
    def served(self) -> tuple[str, ...]:
        """The VIPs that Keepalived serves, each once; none where it ends."""
        if self.ends:
            return ()
        return tuple(dict.fromkeys(vip for one in self.instances for vip in one.vips))


def simulate(environ: Mapping[str, str], stock: tuple[int, int], node: StockNode | None = None) -> Simulation:
    """What the stock image of a version does with the variables; nothing of them is run."""
    version = features(stock)
    numbers = _numbers(environ, version)
    known = all(one.value is not None or one.error for one in numbers.values())
    device = interface(environ.get("OPENSHIFT_HA_NETWORK_INTERFACE", ""), version.interfaces, node)
    written = _written(environ, numbers, version, node) if known else ()
    text = generator.written(environ, written, device or openshift.UNTOLD * (node is None), node, version)
    found = read_text(text, PLACE)
    served = {one.name: tuple(vip.address for vip in one.addresses) for one in found.instances}
    told = [one for one in found.findings if "another number at each start" not in one]
    password = generator.name(environ)
    return Simulation(
        stock,
        tuple(openshift.items(environ.get("OPENSHIFT_HA_VIRTUAL_IPS", ""))),
        numbers,
        known,
        device,
        tuple(_instances(written, served, generator.preemption(environ))),
        generator.check(environ, node),
        environ.get("OPENSHIFT_HA_CHECK_INTERVAL") or openshift.DEFAULT_INTERVAL,
        environ.get("OPENSHIFT_HA_NOTIFY_SCRIPT", ""),
        generator.peers(environ),
        # Keepalived cuts it.
        password[:8],
        next((one for one in told if one.endswith(ENDS)), "") if known else "",
        tuple(one for one in told if not one.endswith(ENDS)) if known else (),
        text if known else "",
    )


def _numbers(environ: Mapping[str, str], stock: Features) -> dict[str, Number]:
    defaults = {
        "OPENSHIFT_HA_VRRP_ID_OFFSET": stock.offset,
        "OPENSHIFT_HA_REPLICA_COUNT": "1",
        "OPENSHIFT_HA_VIP_GROUPS": "",
    }
    return {name: number(environ.get(name) or text) for name, text in defaults.items()}


def _written(
    environ: Mapping[str, str], numbers: Mapping[str, Number], stock: Features, node: StockNode | None
) -> tuple[generator.Written, ...]:
    offset = numbers["OPENSHIFT_HA_VRRP_ID_OFFSET"].value
    if offset is None:
        # An error in the sum ends the generator before the first instance, and Keepalived is started all the same.
        return ()
    excluded = environ.get("HA_EXCLUDED_VRRP_IDS", "") if stock.excludes else ""
    members = openshift.instances(environ)
    nobodys: list[Rank | None] = [None] * len(members)
    found = _ranks(environ, numbers, stock, node, len(members)) if node else nobodys
    ids = openshift.ids(offset, excluded)
    return tuple(generator.Written(name, next(ids), vips, rank) for (name, vips), rank in zip(members.items(), found))


def _ranks(
    environ: Mapping[str, str], numbers: Mapping[str, Number], stock: Features, node: StockNode, count: int
) -> list[Rank]:
    replicas = numbers["OPENSHIFT_HA_REPLICA_COUNT"].value or 1
    backs_up = stock.backs_up and generator.preemption(environ) == "nopreempt"
    return list(islice(ranks(node, max(replicas, 1), backs_up=backs_up), count))


def priorities(
    environ: Mapping[str, str], stock: tuple[int, int], node: StockNode, count: int
) -> list[tuple[int, int]]:
    """The least and greatest priority that so many instances get on a node; none where bash alone knows."""
    version = features(stock)
    numbers = _numbers(environ, version)
    known = all(one.value is not None or one.error for one in numbers.values())
    return [_effective(rank) for rank in _ranks(environ, numbers, version, node, count)] if known else []


def _instances(
    written: tuple[generator.Written, ...], served: Mapping[str, tuple[str, ...]], line: str
) -> Iterator[StockInstance]:
    for index, one in enumerate(written, 1):
        rank = one.rank
        yield StockInstance(
            one.name,
            index,
            one.id,
            tuple(one.vips),
            served.get(one.name, ()),
            _effective(rank) if rank else None,
            rank.master if rank else None,
            preemption(line, master=bool(rank and rank.master)),
        )


def _effective(rank: Rank) -> tuple[int, int]:
    """The priorities as Keepalived takes them: 0, of which chance makes a few, is refused, and has the default."""
    return (rank.least, rank.greatest) if rank.least else (1, DEFAULT)


def preemption(line: str, *, master: bool) -> str:
    """What counts of the line on preemption: `nopreempt`, `preempt_delay N`, or `preempt` for at once.

    With the state MASTER Keepalived clears the first two; it knows no number after `preempt`, and passes over what it
    does not know.
    """
    word, *rest = line.split() or [""]
    if master:
        return IMMEDIATE
    if word == "nopreempt":
        return word
    if word == "preempt_delay" and rest and DELAY.fullmatch(rest[0]) and 0 < float(rest[0]) <= LONGEST_DELAY:
        return f"{word} {rest[0]}"
    return IMMEDIATE
