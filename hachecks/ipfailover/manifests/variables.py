"""The variables of a pod: those that are given, and what is not to depend on a default that may change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hachecks.ipfailover.manifests.stock_pod import CHECK, PORT, scripts
from hachecks.ipfailover.manifests.wanted import DRAIN_FILE
from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.settings import RANGE_CHECK, VARIABLES
from hachecks.ipfailover.spread import HIGHEST
from hachecks.ipfailover.workloads import PER_NODE
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hachecks.ipfailover.plan import Plan
    from hachecks.ipfailover.settings import Settings
    from hachecks.ipfailover.variable import Given

NAME, OFFSET, NODES = "OPENSHIFT_HA_CONFIG_NAME", "OPENSHIFT_HA_VRRP_ID_OFFSET", "OPENSHIFT_HA_NODES"
DRAIN, VIPS = "OPENSHIFT_HA_DRAIN_FILE", "OPENSHIFT_HA_VIRTUAL_IPS"
LINES = ("OPENSHIFT_HA_VERBATIM", "OPENSHIFT_HA_VERBATIM_GLOBAL")
"""Variables in which the end of a line counts."""
DRAINED = HIGHEST // 3
"""Nodes of which each can be drained, whatever a failed check does: render refuses a drain of more."""
OLDEST = 4, 15
"""The first stock image with a Python that runs the executable: RHEL 9 has 3.9."""


def variables(settings: Settings, plan: Plan, given: Mapping[str, Given]) -> dict[str, str]:
    """Those of our image; raises `Invalid`."""
    found = dict(_given(settings, given))
    if plan.nodes and NODES in found:
        found[NODES] = ",".join(settings.nodes)  # oc get nodes -o name has a line for each, and the kind
    found = {**found, NAME: settings.config_name, OFFSET: str(settings.vrrp_id_offset)}
    drain = {DRAIN: DRAIN_FILE} if len(plan.nodes) <= DRAINED else {}
    return _ordered({**drain, **found})


def stock_variables(settings: Settings, plan: Plan, given: Mapping[str, Given]) -> dict[str, str]:
    """Those of OpenShift's image, which counts ids itself; raises `Invalid` where it comes to others than the plan."""
    if settings.stock < OLDEST:
        raise Invalid(
            f"{settings.config_name}: the image of OpenShift {'.'.join(map(str, settings.stock))} has no Python 3.9, "
            "which the executable needs; take our image"
        )
    (counted,), _ = plan_all([settings], {}, None)
    for mine, its in zip(_ids(plan), _ids(counted)):
        if mine != its:
            raise Invalid(
                f"{settings.config_name}: OpenShift's image gives {its[0]} the id {its[1]}, and the plan {mine[1]}; "
                f"give another {OFFSET}, or take our image"
            )
    found = {name: text for name, text in _given(settings, given) if not _is_ours(name)}
    found = {**found, NAME: settings.config_name, OFFSET: str(settings.vrrp_id_offset), VIPS: _listed(settings)}
    told = scripts(settings)
    if CHECK in told:
        # The script is in its place.
        found.pop(PORT, None)
    return _ordered({**found, **told})


def left_out(given: Mapping[str, Given]) -> list[str]:
    """Where the variables are given that the stock image does not know."""
    return [one.place for name, one in given.items() if one.text.strip() and _is_ours(name)]


def _is_ours(name: str) -> bool:
    return bool(RANGE_CHECK.fullmatch(name)) or VARIABLES[name].ours


def _given(settings: Settings, given: Mapping[str, Given]) -> Iterator[tuple[str, str]]:
    for name, one in given.items():
        text = one.text.strip()
        if text and name in PER_NODE:
            where = settings.where(name)
            raise Invalid(
                f"{where}: {text} is one node's own, and this is for all; leave it out, each pod finds its own"
            )
        if text:
            yield name, text if name in LINES else re.sub(r"\s*[\r\n]+\s*", " ", text)


def _ordered(found: Mapping[str, str]) -> dict[str, str]:
    """In the order in which they are declared, checks of ranges by their number."""
    places = {name: place for place, name in enumerate(VARIABLES)}

    def place(name: str) -> tuple[int, int]:
        number = RANGE_CHECK.fullmatch(name)
        return (places[CHECK], int(number[1])) if number else (places[name], 0)

    return {name: found[name] for name in sorted(found, key=place)}


def _ids(plan: Plan) -> list[tuple[str, int]]:
    return [(vip, one.id) for one in plan.instances for vip in one.vips]


def _listed(settings: Settings) -> str:
    """The VIPs one by one: the stock image knows no blocks, and of ranges the last part alone."""
    return ",".join(map(str, settings.virtual_ips.addresses))
