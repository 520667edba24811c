"""What `plan --against` compares with, in whatever form somebody has it: a plan, variables, or a keepalived.conf.

Variables are planned as the new ones are: with the same ledger, as it is before anything is saved, with the same
spread, and on the nodes that they name themselves, or else on those of the option. Pods have their own ledger.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover import document, workloads
from hachecks.ipfailover.lint.conf_instances import authentication
from hachecks.ipfailover.lint.written import Conf
from hachecks.ipfailover.plan import HMAC_MODES, Instance, Plan, Untold, nodes_of, plan_all
from hachecks.ipfailover.pod_ledgers import kept_by
from hachecks.ipfailover.preemption import Preemption
from hachecks.ipfailover.settings import settings_of
from hachecks.ipfailover.sources import ASSIGNMENT, env_file
from hachecks.ipfailover.spread import UNKNOWN
from hachecks.keepalived.configuration import read_written_text
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hachecks.ipfailover.ledger import Ledger
    from hachecks.ipfailover.lint.written import Instance as Written
    from hachecks.ipfailover.settings import Settings
    from hachecks.ipfailover.sources import Source
    from hachecks.ipfailover.variable import Given
    from hachecks.keepalived.configuration import VrrpInstance

OBJECT = re.compile(r"^(?:- )?(?:kind|apiVersion):", re.MULTILINE)
CONFIGURATION = re.compile(r"^[ \t]*vrrp_instance[ \t]", re.MULTILINE)
NODES, PEERS = "OPENSHIFT_HA_NODES", "OPENSHIFT_HA_UNICAST_PEERS"


class Rules(NamedTuple):
    """By what variables are planned: the nodes of the option, the stock version where none is told, and the rest."""

    nodes: Given | None
    stock: tuple[int, int]
    ledger: Ledger
    placement: str | None


class Older(NamedTuple):
    """The older plans, and what should be known of them.

    `stock` says that pods of the stock image have them, and `kept` that a ledger of their own gives pods their ids.
    """

    plans: tuple[Plan, ...]
    notes: tuple[str, ...]
    stock: bool = False
    kept: bool = False


def older(text: str, place: str, *by: Any) -> Older:
    """The plans that a text comes to, `by` the `Rules` where it has variables; raises `Invalid`."""
    rules = Rules(*by)
    is_json = text.lstrip().startswith("{")
    if is_json and (f'"{document.FORMAT}"' in text or '"kind"' not in text):
        return Older(document.read(text, place), ())
    if CONFIGURATION.search(text) and not OBJECT.search(text):
        return _configured(text, place)
    if is_json or OBJECT.search(text):
        return _planned(workloads.documents([(text, place)]), place, rules)
    if any(ASSIGNMENT.fullmatch(line.strip()) for line in text.splitlines()):
        source = env_file(text, place)
        if not source.given:
            raise Invalid(f"{place}: no OPENSHIFT_HA_* variable is in it")
        return _planned([source], place, rules)
    raise Invalid(
        f"{place}: this is neither a plan of hacheck ipfailover plan --format json, nor has it variables of "
        "ipfailover; name the right file"
    )


def _planned(sources: Sequence[Source], place: str, rules: Rules) -> Older:
    configurations = [_settings(one, rules) for one in sources]
    named = any(nodes_of(one) for one in configurations)
    own = kept_by(sources)
    plans, _ = plan_all(configurations, {**rules.ledger, **own}, rules.placement if named else None)
    plans = tuple(_of_stock(plan) if is_stock(one) else plan for plan, one in zip(plans, sources))
    unplaced = [plan.name for plan in plans if plan.placement == UNKNOWN]
    why = f"{place}: it names no nodes, so that what moves is not known; give them by --nodes"
    notes = (*(note for one in sources for note in one.notes), *([why] if unplaced else ()))
    return Older(plans, notes, any(map(is_stock, sources)), bool(own))


def is_stock(source: Source) -> bool:
    """Whether a pod of the stock image has the variables, with what is in that image for a command."""
    if source.stock is None or source.container is None:
        return False
    words = (*(source.container.at("command") or ()), *(source.container.at("args") or ()))
    return not any("hacheck" in str(word) for word in words)


def _of_stock(plan: Plan) -> Plan:
    """A plan as the stock image has it, whose adverts carry all VIPs of a group."""
    return plan._replace(instances=tuple(one._replace(advertised=len(one.vips)) for one in plan.instances))


def _settings(source: Source, rules: Rules) -> Settings:
    """The settings of a source, on its own nodes if it has any."""
    stock = source.stock or rules.stock
    own = settings_of(source.given, stock)
    if not rules.nodes or own.nodes:
        return own
    on_these = settings_of({**source.given, NODES: rules.nodes}, stock)
    # Names stand for the peers where they can: other peers are another list of nodes.
    return on_these if len(own.unicast_peers) in (0, len(on_these.nodes)) else own


def _configured(text: str, place: str) -> Older:
    """What one node's keepalived.conf says: ids, VIPs, and how adverts go; not who has which VIP."""
    conf = Conf(place, read_written_text(text, place))
    by_way: dict[Way, list[Instance]] = {}
    for number, one in enumerate(conf.instances(), 1):
        by_way.setdefault(_way(one), []).append(_instance(number, one.read, place))
    plans = tuple(_of_one_way(place, way, tuple(instances)) for way, instances in by_way.items())
    findings = conf.written.configuration.findings
    return Older(plans, (*findings, f"{place}: it is one node's, so that what moves is not known"))


class Way(NamedTuple):
    """How the adverts of an instance go, and what they carry; `password` is empty where none is."""

    interface: str
    unicast: bool
    version: int
    seconds: float | None
    password: str
    hmac: tuple[str, str]


def _way(one: Written) -> Way:
    """The way of an instance; its password is none in VRRP 3, and of more than 8 characters the first 8 count."""
    kind, password = authentication(one, "auth_type"), authentication(one, "auth_pass")
    by_password = one.version == 2 and kind and kind.words[1:2] == ["PASS"]
    word = "".join(password.words[1:2])[:8] if by_password and password else ""
    return Way(one.read.interface, one.read.unicast, one.version, one.advert_seconds, word, _signed(one))


def _signed(one: Written) -> tuple[str, str]:
    """How the adverts of an instance are signed, and the file of the key."""
    block = one.line("auth_hmac")
    lines = {line.words[0]: line.words[1:] for line in (block.nodes or () if block else ())}
    key = "".join(lines.get("key", ())[1:2])
    mode = "".join(lines.get("mode", ())[:1])
    return (mode if mode in HMAC_MODES else HMAC_MODES[-1], key.replace("file:", "", 1)) if block else ("", "")


def _instance(number: int, one: VrrpInstance, place: str) -> Instance:
    # Those that adverts carry come first, as in a plan.
    vips = [vip.address for vip in sorted(one.addresses, key=lambda vip: vip.excluded)]
    if one.vrid is None or not vips:
        raise Invalid(f"{place}: {one.name} has no {'virtual_router_id' if vips else 'VIP'}; name the right file")
    advertised = sum(not vip.excluded for vip in one.addresses)
    return Instance(one.name, number, one.vrid, tuple(vips), advertised=advertised)


def _of_one_way(place: str, way: Way, instances: tuple[Instance, ...]) -> Plan:
    unknown = Preemption("immediate")
    return Plan(
        place,
        way.interface,
        way.unicast,
        Untold(way.password),
        unknown,
        UNKNOWN,
        (),
        instances,
        (),
        way.version,
        way.seconds,
        way.hmac,
    )
