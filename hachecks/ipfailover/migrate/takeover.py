"""Takeover: which variables give new pods the election of the stock image's, which cannot be told an instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.settings import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.ipfailover.migrate.cases import Case


def obstacle(found: Sequence[Case]) -> str:
    """Why no variables do; empty where some do."""
    for case in found:
        if case.was.advertised > 1:
            return (
                f"the adverts of the stock image carry every VIP of a group, {case.vip} for one, and those of hachecks "
                "the first"
            )
    return ""


def equal(found: Sequence[Case]) -> dict[str, str]:
    """The variables that part the new nodes from the old ones, each with the value that it needs at first."""
    needed: dict[str, str] = {}
    for case in found:
        for field, value in _differing(case):
            needed.setdefault(FIELDS[field].name, value)
    return needed


def _differing(case: Case) -> Iterator[tuple[str, str]]:
    was, plan = case.was_plan, case.plan
    if case.was.id != case.instance.id:
        # Ids are counted from the first VIP on, after the offset.
        yield "vrrp_id_offset", str(min(one.id for one in was.instances) - 1)
    if was.interface and was.interface != plan.interface:
        yield "interface", was.interface
    if was.unicast != plan.unicast:
        yield "unicast_peers", " ".join(was.nodes) if was.unicast else ""
    if was.vrrp(case.was) != plan.vrrp(case.instance):
        yield "vrrp_version", str(was.vrrp(case.was))
    if was.advert_interval and was.advert_interval != plan.advert_interval:
        yield "advert_interval", f"{was.advert_interval:g}"
    if was.password is not None and was.password != plan.password:
        yield "config_name", was.name
        if plan.password and plan.password.startswith("in /"):
            yield "auth_pass_file", ""
