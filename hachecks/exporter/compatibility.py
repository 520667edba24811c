"""The `keepalived_*` metrics that the published dashboards use: those that can be told truthfully, as tables.

Names, types and labels are those of mehdy/keepalived-exporter (`iname`, `intf`, `vrid`, `ip_address`), and, of what
only Keepalived's JSON tells, also those of gen2brain/keepalived_exporter (dashboards 18270 and 23604 of grafana.com).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hachecks import __version__
from hachecks.exporter.view import Vip
from hachecks.services.exposition import Table, counter, gauge, single, untyped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hachecks.exporter.view import Instance, View
    from hachecks.keepalived.json_dump import Dump

INSTANCE = ("iname", "intf", "vrid")
"""The labels of an instance."""
STATE = {"UNKNOWN": 0, "BACKUP": 1, "MASTER": 2, "FAULT": 3}
COUNTERS = {
    "advert_rcvd": "advertisements_received",
    "advert_sent": "advertisements_sent",
    "packet_len_err": "packet_length_errors",
    "advert_interval_err": "advertisements_interval_errors",
    "ip_ttl_err": "ip_ttl_errors",
    "invalid_type_rcvd": "invalid_type_received",
    "addr_list_err": "address_list_errors",
    "invalid_authtype": "authentication_invalid",
    "authtype_mismatch": "authentication_mismatch",
    "auth_failure": "authentication_failure",
    "pri_zero_rcvd": "priority_zero_received",
    "pri_zero_sent": "priority_zero_sent",
}
"""Keepalived's names in its JSON, and mehdy's."""
BOTH = ("become_master", "release_master")
"""Counters that only gen2brain's exporter takes from the JSON."""
Value = Callable[[Any], object]


def _id(one: Instance | Vip | Dump) -> object:
    return "" if one.vrid is None else one.vrid


def _of_instance(one: Instance) -> tuple[object, ...]:
    return one.name, one.interface, _id(one)


def _of_vip(one: Instance | Vip) -> tuple[object, ...]:
    """Of an instance without VIPs the address is empty."""
    if isinstance(one, Vip):
        return one.instance, one.carrier, _id(one), one.address
    return *_of_instance(one), ""


def _up(known: tuple[bool | None, bool]) -> bool | None:
    runs, answers = known
    return None if runs is None else runs and answers


def _state_table(name: str, items: Callable[[View], Iterable[Instance | Vip]]) -> Table:
    text = "The state of the instance: 0 is INIT, 1 BACKUP, 2 MASTER, 3 FAULT."
    metric = gauge(name, text, lambda one: STATE.get(one.state))
    return Table(items, (*INSTANCE, "ip_address"), _of_vip, (metric,))


def _with_those_without_vips(view: View) -> Iterator[Instance | Vip]:
    with_vips = {vip.instance for vip in view.vips}
    yield from (vip for vip in view.vips if not vip.excluded)
    yield from (one for one in view.instances if one.name not in with_vips)


def _passing(view: View) -> dict[str, bool]:
    """Whether the check of each script passed, where it has run lately."""
    return {script: one.passes for one in view.checks for script in one.scripts if one.passes is not None}


def _tracked(view: View) -> dict[str, bool]:
    """Whether all checks that an instance tracks passed, of those that have run lately."""
    passing = _passing(view)
    tracked = ((one.name, [passing[script] for script in one.scripts if script in passing]) for one in view.instances)
    return {name: all(found) for name, found in tracked if found}


def _dumps(view: View) -> Iterator[tuple[Instance, Dump]]:
    """What only Keepalived's own JSON tells."""
    return ((one, view.dumps[one.name]) for one in view.instances if one.name in view.dumps)


def _stat(theirs: str) -> Value:
    return lambda pair: pair[1].stats.get(theirs)


TABLES = (
    Table(
        lambda _: (None,),
        ("version",),
        lambda _: (__version__,),
        (gauge("keepalived_exporter_build_info", "What runs; always 1.", lambda _: 1),),
    ),
    single(
        lambda view: (view.keepalived_runs, all(one.up for one in view.sources if one.name == "keepalived_json")),
        gauge("keepalived_up", "Whether Keepalived runs, and answers if it is asked.", _up),
    ),
    _state_table("keepalived_vrrp_state", _with_those_without_vips),
    _state_table("keepalived_vrrp_excluded_state", lambda view: (vip for vip in view.vips if vip.excluded)),
    single(
        _passing,
        gauge(
            "keepalived_script_status",
            "Whether the script's check passed when it last ran.",
            lambda passing: passing,
            "name",
        ),
    ),
    Table(
        lambda view: view.vips,
        (*INSTANCE, "ip_address"),
        _of_vip,
        (
            gauge(
                "keepalived_exporter_check_script_status",
                "Whether the checks that the instance tracks passed when they last ran.",
                lambda vip, tracked: tracked.get(vip.instance),
            ),
        ),
        context=_tracked,
    ),
    Table(
        lambda view: view.instances,
        INSTANCE,
        _of_instance,
        (
            counter("keepalived_become_master_total", "Changes to MASTER.", lambda one: one.entered["MASTER"]),
            counter(
                "keepalived_release_master_total", "Changes from MASTER to another state.", lambda one: one.released
            ),
        ),
    ),
    Table(
        _dumps,
        INSTANCE,
        lambda pair: _of_instance(pair[0]),
        (
            *(
                counter(f"keepalived_{ours}_total", f"Keepalived's {theirs}.", _stat(theirs))
                for theirs, ours in COUNTERS.items()
            ),
            counter(
                "keepalived_gratuitous_arp_delay_total",
                "The configured delay of the second gratuitous ARPs, in seconds; a counter by its name only.",
                lambda pair: pair[1].garp_delay,
            ),
        ),
    ),
    Table(
        _dumps,
        ("name", "intf", "vrid", "state"),
        lambda pair: (pair[1].name, pair[1].interface, _id(pair[1]), STATE.get(pair[1].state, 0)),
        tuple(
            untyped(f"keepalived_vrrp_{theirs}", f"Keepalived's {theirs}.", _stat(theirs))
            for theirs in (*COUNTERS, *BOTH)
        ),
    ),
)
