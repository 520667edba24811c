"""Variables as the tests give them, and strategies for lists of VIPs and whole environments."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hachecks.ipfailover.plan import Plan, plan_all
from hachecks.ipfailover.settings import VARIABLES, Settings, settings_of
from hachecks.ipfailover.variable import NEWEST, Given, version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.ipfailover.ledger import Ledger

EXAMPLES = int(os.environ.get("IPFAILOVER_EXAMPLES", "200"))
"""How many examples each property is tried with."""

many = hypothesis_settings(max_examples=EXAMPLES, deadline=None)


def settings(environ: Mapping[str, str], stock: str = NEWEST) -> Settings:
    """The settings that variables come to."""
    return settings_of({name: Given(text, name) for name, text in environ.items()}, version(stock))


def variables(**short: str) -> dict[str, str]:
    """Variables by their names without OPENSHIFT_HA_."""
    return {f"OPENSHIFT_HA_{name}" if name != "HA_EXCLUDED_VRRP_IDS" else name: text for name, text in short.items()}


def plan(stock: str = NEWEST, placement: str | None = None, **short: str) -> Plan:
    """The plan of one configuration without a ledger."""
    (found,), _ = plan_all([settings(variables(**short), stock)], {}, placement)
    return found


def plan_and_ledger(ledger: Ledger, **short: str) -> tuple[Plan, Ledger]:
    """The plan of one configuration, and the ledger afterwards."""
    (found,), after = plan_all([settings(variables(**short))], ledger, None)
    return found, after


def ids(found: Plan) -> dict[str, int]:
    """The id of each VIP."""
    return {vip: one.id for one in found.instances for vip in one.vips}


def masters(found: Plan) -> dict[str, str]:
    """The node of each VIP."""
    return {vip: one.nodes[0] for one in found.instances for vip in one.vips}


def loads(found: Plan) -> dict[str, int]:
    """The VIPs on each node."""
    owners = list(masters(found).values())
    return {node: owners.count(node) for node in found.nodes}


octets = st.integers(0, 255)
single = st.builds("10.0.{}.{}".format, st.integers(0, 1), octets)
short_range = st.builds(
    lambda third, first, length: f"10.0.{third}.{first}-{first + length}",
    st.integers(0, 3),
    st.integers(0, 200),
    st.integers(0, 55),
)
ipv6 = st.builds("fd00::{:x}".format, st.integers(1, 0xFFFF))
ipv6_range = st.builds(
    lambda first, length: f"fd00::1:{first:x}-{first + length:x}", st.integers(0, 0xFF00), st.integers(0, 40)
)
well_formed = st.one_of(single, short_range, ipv6, ipv6_range)
odd = st.one_of(
    st.builds("{}-{}".format, single, single),
    st.builds("{}/{}".format, single, st.integers(20, 33)),
    st.builds("{} - {}".format, ipv6, ipv6),
    st.sampled_from(
        ["10.1.1.1/24", "10.1.0.0/28", "fd00::/120", "10.0.0.300", "a.b", "-", "0.0.0.0", "::1", "$(id)", "1.2.3.4-",
         "10.0.0.9-7", "ff02::1", "::ffff:1.2.3.4", "fe80::1%eth0", "a[$(id)]", "010.0.0.1", "10.0.0.1-2-3"]
    ),
    st.text(max_size=8),
)  # fmt: skip
stock_lists = st.lists(st.one_of(single, short_range, ipv6), min_size=1, max_size=6).map(",".join)
"""Lists that the stock image takes as they are meant: it has no ranges of IPv6."""
odd_lists = st.builds(
    lambda items, between: between.join(items),
    st.lists(st.one_of(well_formed, odd), min_size=1, max_size=6),
    st.sampled_from([",", ", ", " ", "\n", ",,"]),
)
good_lists = st.builds(
    lambda parts, more: ",".join([*(f"10.0.0.{part}" for part in parts), *more]),
    st.lists(st.integers(1, 12), min_size=1, max_size=12, unique=True),
    st.lists(
        st.sampled_from(["10.0.1.250-10.0.2.5", "10.1.0.0/28", "fd00::a-f", "fd01::/124"]), max_size=3, unique=True
    ),
)
sets = st.lists(
    st.lists(st.integers(1, 12).map("10.0.0.{}".format), min_size=2, max_size=3, unique=True).map(",".join), max_size=2
).map(";".join)
numbers = st.one_of(st.integers(0, 260).map(str), st.sampled_from(["", "010", "-1", "a[$(id)]", " 7 ", "٣", "9" * 30]))
node_lists = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8, unique=True)
any_text = st.one_of(st.text(max_size=20), st.text(alphabet=",;=-/ .:a1", max_size=8))


def mostly(good: st.SearchStrategy[str], bad: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Seven good ones of eight, so that not every environment is refused for one of its variables."""
    return st.integers(0, 7).flatmap(lambda chosen: good if chosen else bad)


preemptions = st.sampled_from(["nopreempt", "preempt_delay 300", "preempt", "preempt 300", "preempt_nodelay 300"])
preferences = st.builds("10.0.0.{}={}".format, st.integers(1, 12), node_lists.map(",".join))
environments = st.fixed_dictionaries(
    {"OPENSHIFT_HA_VIRTUAL_IPS": mostly(good_lists, odd_lists)},
    optional={
        "OPENSHIFT_HA_VIP_GROUPS": mostly(st.integers(0, 20).map(str), numbers),
        "OPENSHIFT_HA_VRRP_ID_OFFSET": mostly(st.integers(0, 250).map(str), numbers),
        "OPENSHIFT_HA_REPLICA_COUNT": mostly(st.integers(1, 9).map(str), numbers),
        "HA_EXCLUDED_VRRP_IDS": mostly(
            st.lists(st.integers(1, 255).map(str), max_size=5).map(" ".join),
            st.lists(numbers, max_size=5).map(" ".join),
        ),
        "OPENSHIFT_HA_NODES": mostly(node_lists.map(",".join), any_text),
        "OPENSHIFT_HA_PREEMPTION": mostly(preemptions, any_text),
        "OPENSHIFT_HA_APART": mostly(sets, any_text),
        "OPENSHIFT_HA_TOGETHER": mostly(sets, any_text),
        "OPENSHIFT_HA_PREFER": mostly(preferences, any_text),
    },
)
"""Environments as people and machines get them wrong."""
any_environments = st.dictionaries(st.sampled_from(sorted(VARIABLES)), any_text)
