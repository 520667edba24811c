"""Real nodes that do not elect together have an owner each, as `plan --against` says, and one when they do again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from hachecks.ipfailover.against import TWICE, against
from hachecks.ipfailover.losses import follow
from tests.ipfailover.served import IPV4_PEERS, NAMES, served

if TYPE_CHECKING:
    from tests.ipfailover.cluster import Cluster, Node
    from tests.ipfailover.served import Served

pytestmark = pytest.mark.failover


class Changed(NamedTuple):
    """What changes in a configuration, and whether its VIP has two owners while one node has it and others do not."""

    before: dict[str, str]
    after: dict[str, str]
    twice: bool


MULTICAST, UNICAST = {"NODES": IPV4_PEERS}, {"UNICAST_PEERS": IPV4_PEERS}
SIX = {"NODES": NAMES, "VIRTUAL_IPS": "fd78::1:1"}
CHANGES = {
    "multicast to unicast": Changed(MULTICAST, UNICAST, twice=True),
    "unicast to multicast": Changed(UNICAST, MULTICAST, twice=True),
    "VRRP 2 to 3": Changed(MULTICAST, {**MULTICAST, "VRRP_VERSION": "3"}, twice=True),
    "another interval of VRRP 2": Changed(MULTICAST, {**MULTICAST, "ADVERT_INT": "2"}, twice=True),
    "another name, and so password": Changed(MULTICAST, {**MULTICAST, "CONFIG_NAME": "renamed"}, twice=True),
    "another id": Changed(MULTICAST, {**MULTICAST, "VRRP_ID_OFFSET": "200"}, twice=True),
    "another first address": Changed(
        {**MULTICAST, "VIRTUAL_IPS": "10.78.2.1-2", "VIP_GROUPS": "1"},
        {**MULTICAST, "VIRTUAL_IPS": "10.78.2.2,10.78.2.1", "VIP_GROUPS": "1"},
        twice=True,
    ),
    "another interval of VRRP 3": Changed(SIX, {**SIX, "ADVERT_INT": "0.5"}, twice=False),
    "another preemption": Changed(MULTICAST, {**MULTICAST, "PREEMPTION": "nopreempt"}, twice=False),
    "another VIP of a group": Changed(
        {**MULTICAST, "VIRTUAL_IPS": "10.78.3.1-2", "VIP_GROUPS": "1"},
        {**MULTICAST, "VIRTUAL_IPS": "10.78.3.1,10.78.3.3", "VIP_GROUPS": "1"},
        twice=False,
    ),
}


def all_of(attribute: str) -> Served:
    """All configurations of before or after, each with its own VIP and ids."""
    return served(
        *(
            {
                "CONFIG_NAME": f"c{number}",
                "VIRTUAL_IPS": f"10.78.1.{number}",
                "VRRP_ID_OFFSET": str(10 * number),
                "PREEMPTION": "preempt",
                **getattr(change, attribute),
            }
            for number, change in enumerate(CHANGES.values(), 1)
        )
    )


def files(found: Served, node: Node) -> dict[str, str]:
    """The files of a node by the numbers of their configurations, whose names may change."""
    return {f"c{number}": text for number, text in enumerate(found.files_of(node).values(), 1)}


@pytest.mark.xdist_group("cluster-elections")
def test_what_plan_calls_served_twice_is_while_nodes_reload_one_by_one_and_nothing_else(cluster: Cluster) -> None:
    before, after = all_of("before"), all_of("after")
    changes = against(before.plans, after.plans)
    twice = {one.vip for one in changes if one.kind == TWICE}
    of_plan = [{vip for one in plan.instances for vip in one.vips} & before.ids.keys() for plan in after.plans]
    assert [bool(vips & twice) for vips in of_plan] == [change.twice for change in CHANGES.values()]
    cluster.start({node.name: files(before, node) for node in cluster.nodes.values()})
    cluster.wait_for_owners(before.owners(cluster))
    began = len(cluster.owners.history)
    first, *others = cluster.nodes.values()
    first.configure(files(after, first))
    first.reload_keepalived()
    cluster.wait_for_each(twice, lambda owners: len(owners) == 2)
    for node in others:
        node.configure(files(after, node))
        node.reload_keepalived()
    cluster.wait_for_owners(after.owners(cluster))
    seen = {change.vip for change in cluster.owners.history[began:] if len(change.owners) > 1}
    assert seen == twice


def equal_ones() -> Served:
    """VIPs, of both families, for which two nodes give themselves equal priorities, and the third one a lower one."""
    found: list[str] = []
    for vips in ("10.78.1.1-240", "fd78::1:1-f0"):
        (plan,) = served({"VIRTUAL_IPS": vips, "NODES": NAMES}, placement="hash").plans
        for one in plan.instances:
            first, second, third = (priority for _, priority in one.ranks)
            if first == second > third + 40:
                found += one.vips
    assert {":" in vip for vip in found} == {True, False}
    short = {"CONFIG_NAME": "equal", "VIRTUAL_IPS": ",".join(found), "NODES": NAMES, "PREEMPTION": "preempt"}
    return served({**short, "VRRP_VERSION": "3", "ADVERT_INT": "0.5"}, placement="hash")


@pytest.mark.xdist_group("cluster-equal-found")
def test_of_owners_that_find_each_other_the_plans_remains_also_of_equal_priorities(cluster: Cluster) -> None:
    found = equal_ones()
    for node in cluster.nodes.values():
        node.part()
    cluster.start(found.files(cluster))
    cluster.wait_for_each(found.ids, lambda owners: len(owners) == 3)
    for node in cluster.nodes.values():
        node.join()
    cluster.wait_for_owners(found.owners(cluster))


@pytest.mark.xdist_group("cluster-equal-lost")
def test_of_equal_priorities_one_has_a_vip_until_it_is_lost_and_the_other_keeps_it(cluster: Cluster) -> None:
    found = equal_ones()
    (plan,) = found.plans
    best = {vip: {node for node, _ in one.ranks[:2]} for one in plan.instances for vip in one.vips}
    cluster.start(found.files(cluster))
    for vip, equal in best.items():
        cluster.wait_for_each([vip], lambda owners, equal=equal: len(owners) == 1 and owners <= equal)  # type: ignore[misc]
    cluster.wait_until_settled(best)
    # Whoever was first of the two has it, as if the others had come later.
    first = {vip: list(cluster.owners.of(vip)) for vip in best}
    starts = {vip: [(node, True) for node in (*one, *sorted(plan.nodes))] for vip, one in first.items()}
    events: list[tuple[str, bool]] = []
    for node in cluster.nodes.values():
        for happens, is_back in ((node.cut, False), (node.mend, True)):
            cluster.wait_until_all_are_heard()
            happens()
            events.append((node.name, is_back))
            expected = {
                vip: follow(one.ranks, [*starts[vip], *events], True, plan.nodes)
                for one in plan.instances
                for vip in one.vips
            }
            cluster.wait_for_owners(expected)
