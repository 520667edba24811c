"""A Service as Kubernetes has it: which VIPs it wants, how they are checked, and what is wrong with it.

Whoever may make a Service writes these, so that nothing of them is believed: a name goes into a command line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.follow.options import ANNOTATION
from hachecks.ipfailover.render.command_line import HACHECK
from hachecks.ipfailover.resources import part
from hachecks.ipfailover.vips import parse_address

if TYPE_CHECKING:
    import ipaddress
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from hachecks.ipfailover.vips import Address

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
"""Of namespaces and Services, in which Kubernetes allows no more."""
WORD = re.compile(r"[A-Za-z0-9:.+Z-]{1,64}", re.ASCII)
MOST_ADDRESSES = 16
"""Of one Service: Kubernetes has no limit, and nobody needs more."""
NO_CHECK = "true"
"""A check that passes: an item without one would have that of the variables, which is about something else."""
FAMILIES = {"IPv4": 4, "IPv6": 6}


class Unfit(Exception):  # noqa: N818 - the name says what it is
    """Why a Service has no VIP; two that say the same are equal."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unfit) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


class Service(NamedTuple):
    """What counts of a Service.

    `asked` are the addresses it asks for, `families` those of which it gets one otherwise, both empty where it is not
    of our class; `external` are those it has anyway. `check` is a command line, and `remark` says why it is none.
    """

    key: str
    uid: str
    created: str
    version: str
    is_ours: bool
    asked: tuple[str, ...]
    families: tuple[int, ...]
    external: tuple[str, ...]
    check: str
    remark: str
    ingress: tuple[str, ...]

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.key.partition("/")[0]

    @property
    def name(self) -> str:
        """Its name there."""
        return self.key.partition("/")[2]


class Reader(NamedTuple):
    """Understands Services: those of a class, and those with external addresses in some networks."""

    load_balancer_class: str
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    def service(self, found: Mapping[str, Any]) -> Service | None:
        """What counts of a Service, None where it has no VIP of ours; raises `Unfit`."""
        spec = part(found, "spec")
        if not isinstance(spec, dict):
            return None
        ingress = tuple(_texts(found, "status", "loadBalancer", "ingress", field="ip"))
        is_ours = spec.get("type") == "LoadBalancer" and spec.get("loadBalancerClass") == self.load_balancer_class
        external = tuple(self._external(spec, () if is_ours else ingress))
        if not (is_ours or external):
            return None
        key = "/".join(_matching(NAME, found, "metadata", field) for field in ("namespace", "name"))
        uid, created, version = (
            _matching(WORD, found, "metadata", field) for field in ("uid", "creationTimestamp", "resourceVersion")
        )
        families = tuple(FAMILIES[one] for one in _texts(spec, "ipFamilies") if one in FAMILIES) or (4,)
        asked = _asked(found, families) if is_ours else ()
        check, remark = _check(key, spec)
        return Service(
            key, uid, created, version, is_ours, asked, families if is_ours else (), external, check, remark, ingress
        )

    def _external(self, spec: Mapping[str, Any], ingress: Sequence[str]) -> Iterator[str]:
        for text in dict.fromkeys((*_texts(spec, "externalIPs"), *ingress)):
            try:
                address = parse_address(text)
            except ValueError:
                continue
            if any(address in network for network in self.networks):
                yield str(address)


def label(found: Any) -> str:
    """What a Service is called in a message, as far as it can be told."""
    return "/".join(str(part(found, "metadata", field))[:63] for field in ("namespace", "name"))


def _texts(value: Any, *path: str, field: str = "") -> Iterator[str]:
    """The texts in a list, or those under a key of its items."""
    found = part(value, *path)
    for one in found[:MOST_ADDRESSES] if isinstance(found, list) else ():
        text = part(one, field) if field else one
        if isinstance(text, str):
            yield text


def _matching(pattern: re.Pattern[str], found: Any, *path: str) -> str:
    text = part(found, *path)
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise Unfit(f"{'.'.join(path)} is none that Kubernetes gives")
    return text


def _asked(found: Mapping[str, Any], families: Sequence[int]) -> tuple[str, ...]:
    """The addresses that a Service asks for: those of the annotation, or that of the older field."""
    text = part(found, "metadata", "annotations", ANNOTATION)
    where = ANNOTATION
    if text is None:
        text, where = part(found, "spec", "loadBalancerIP"), "spec.loadBalancerIP"
    if text is None:
        return ()
    try:
        addresses = [parse_address(one) for one in re.split(r"[\s,]+", str(text).strip())[: MOST_ADDRESSES + 1]]
    except ValueError as error:
        raise Unfit(f"{where}: {error}") from None
    _refuse_families(where, addresses, families)
    return tuple(map(str, addresses))


def _refuse_families(where: str, addresses: Sequence[Address], families: Sequence[int]) -> None:
    versions = [one.version for one in addresses]
    if len(set(versions)) < len(versions):
        raise Unfit(f"{where}: expected one address of each family")
    strange = next((one for one in addresses if one.version not in families), None)
    if strange:
        raise Unfit(f"{where}: {strange} is IPv{strange.version}, which is not among its ipFamilies")


def _check(key: str, spec: Mapping[str, Any]) -> tuple[str, str]:
    """The command that checks a Service on a node, and why it is one that asks nothing."""
    ports = [one for one in _list(spec.get("ports")) if isinstance(one, dict)]
    health = _port(spec.get("healthCheckNodePort"))
    if spec.get("externalTrafficPolicy") == "Local" and health:
        # What it asks needs no nodePort, and says more than one: it counts the endpoints on the node.
        first = next(filter(None, (_port(one.get("nodePort")) or _port(one.get("port")) for one in ports)), 0)
        if first:
            return f"{HACHECK} nodeport {first} --health-check-node-port {health} --service {key}", ""
    tcp = [one for one in ports if one.get("protocol", "TCP") == "TCP"]
    first = next(filter(None, (_port(one.get("nodePort")) for one in tcp)), 0)
    if first:
        return f"{HACHECK} nodeport {first}", ""
    why = "none of its ports has a nodePort" if tcp else "none of its ports is TCP"
    return NO_CHECK, f"{key}: it is not checked, since {why}; externalTrafficPolicy: Local has a port that can be asked"


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _port(value: Any) -> int:
    """The port, 0 where it is none."""
    return value if type(value) is int and 1 <= value <= 65535 else 0
