"""The plan as JSON, for programs and for `plan --against`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hachecks.ipfailover.ids import LARGEST_ID
from hachecks.ipfailover.losses import losses, returned
from hachecks.ipfailover.plan import HMAC_MODES, Instance, Plan
from hachecks.ipfailover.preemption import Preemption
from hachecks.ipfailover.settings import FIELDS
from hachecks.ipfailover.spread import UNKNOWN
from hachecks.ipfailover.vips import Vips, parse_address
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from hachecks.ipfailover.against import Change
    from hachecks.ipfailover.losses import Loss
    from hachecks.ipfailover.settings import Settings

FORMAT = "hachecks_ipfailover_plan"
VERSION = 1


def written(plans: Sequence[Plan], configurations: Sequence[Settings], changes: Sequence[Change] | None) -> str:
    """The plans as one line of JSON; the changes are in it where there is an old plan to compare with."""
    document: dict[str, Any] = {
        FORMAT: VERSION,
        "configurations": [_plan(plan, settings) for plan, settings in zip(plans, configurations)],
    }
    if changes is not None:
        document["changes"] = [{"vip": one.vip, "kind": one.kind, "why": one.why} for one in changes]
    return json.dumps(document, ensure_ascii=False)


def _plan(plan: Plan, settings: Settings) -> dict[str, Any]:
    return {
        "name": plan.name,
        "interface": plan.interface,
        "unicast": plan.unicast,
        "password": plan.password,
        "vrrp_version": plan.vrrp_version,
        "advert_interval": plan.advert_interval,
        "hmac": plan.hmac,
        "preemption": {"mode": plan.preemption.mode, "seconds": plan.preemption.seconds},
        "placement": plan.placement,
        "nodes": plan.nodes,
        "instances": [_instance(one) for one in plan.instances],
        "losses": [_loss(one) for one in losses(plan.instances, plan.nodes)] if plan.placement != UNKNOWN else [],
        "notes": plan.notes,
        "settings": {variable.name: _setting(settings, field) for field, variable in FIELDS.items()},
    }


def _instance(one: Instance) -> dict[str, Any]:
    ranks = [{"node": node, "priority": priority} for node, priority in one.ranks]
    return {"name": one.name, "number": one.number, "id": one.id, "vips": one.vips, "ranks": ranks}


def _loss(loss: Loss) -> dict[str, Any]:
    """Who has the VIPs that move, and when the lost nodes are back; null is nobody."""
    return {
        "lost": loss.lost,
        "moves": {vip: node for one, node in loss.moves for vip in one.vips},
        "back": {
            word: {
                vip: owner
                for one, node in loss.moves
                for owner in (returned(one, node, loss.lost, preempts),)
                for vip in one.vips
            }
            for word, preempts in (("nopreempt", False), ("preempt", True))
        },
    }


def _setting(settings: Settings, field: str) -> dict[str, Any]:
    value = getattr(settings, field)
    if isinstance(value, Preemption):
        value = str(value)
    if isinstance(value, Vips):
        value = list(map(str, value.addresses))
    if field == "prefer":
        value = [{"vips": list(map(str, vips.addresses)), "nodes": nodes} for vips, nodes in value]
    if field in ("apart", "together"):
        value = [list(map(str, vips.addresses)) for vips in value]
    return {"value": value, "from": settings.places.get(FIELDS[field].name, "default")}


def read(text: str, place: str) -> tuple[Plan, ...]:
    """The plans of a document that `written` made, without their notes; raises `Invalid`."""
    try:
        document = json.loads(text)
        if document[FORMAT] != VERSION:
            raise Invalid(f"{place}: it is a plan of version {document[FORMAT]!r}, expected {VERSION}")
        return tuple(map(_read_plan, document["configurations"]))
    except Invalid:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Invalid(
            f"{place}: this is no plan of hacheck ipfailover plan --format json; name the right file"
        ) from None


def _read_plan(table: Mapping[str, Any]) -> Plan:
    preemption = Preemption(_text(table["preemption"]["mode"]), float(table["preemption"]["seconds"]))
    unicast = table["unicast"]
    if not isinstance(unicast, bool):
        raise TypeError
    name, interface, password, placement = (_text(table[key]) for key in ("name", "interface", "password", "placement"))
    nodes, instances = tuple(map(_text, table["nodes"])), tuple(map(_read_instance, table["instances"]))
    # Before these were settings, all had the defaults.
    version, interval = table.get("vrrp_version", 2), float(table.get("advert_interval", 1))
    mode, key_file = map(_text, table.get("hmac", ("", "")))
    if version not in (2, 3) or mode not in HMAC_MODES:
        raise ValueError
    return Plan(
        *(name, interface, unicast, password, preemption, placement, nodes, instances, ()),
        *(version, interval, (mode, key_file)),
    )


def _read_instance(table: Mapping[str, Any]) -> Instance:
    vips = tuple(str(parse_address(vip)) for vip in table["vips"])
    ranks = tuple((_text(rank["node"]), _number(rank["priority"])) for rank in table["ranks"])
    if not vips:
        raise ValueError
    return Instance(_text(table["name"]), _number(table["number"]), _number(table["id"]), vips, ranks)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> int:
    if type(value) is not int or not 1 <= value <= LARGEST_ID:
        raise ValueError
    return value
