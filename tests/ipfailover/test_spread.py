"""VIPs are spread evenly over named nodes, as few as possible move, and the order of anything changes nothing."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.ipfailover.losses import holder
from hachecks.ipfailover.spread import (
    HIGHEST,
    LOWEST_HASHED,
    Unit,
    by_hash,
    fullest_by_hash,
    hashed_priority,
    in_order,
    priorities,
    spread,
)
from hachecks.settings import Invalid
from tests.ipfailover.given import loads, many, masters, plan

names = st.lists(st.integers(0, 99).map("node-{}".format), min_size=1, max_size=12, unique=True)
keys = st.lists(st.integers(1, 254).map("10.0.0.{}".format), min_size=1, max_size=40, unique=True)


def difference(owners: list[str], nodes: list[str]) -> int:
    """By how much the fullest of these nodes is above the emptiest."""
    counts = [owners.count(node) for node in nodes]
    return max(counts) - min(counts)


@many
@given(keys, names)
def test_vips_are_spread_evenly_also_after_the_loss_of_any_node(vips: list[str], nodes: list[str]) -> None:
    orders = spread([Unit(vip) for vip in vips], nodes, {})
    assert all(sorted(order) == sorted(nodes) for order in orders.values())
    assert difference([order[0] for order in orders.values()], nodes) <= 1
    for lost in nodes:
        left = [node for node in nodes if node != lost]
        if left:
            ranks = [[(node, 1) for node in order] for order in orders.values()]
            assert difference([holder(one, [lost]) or "" for one in ranks], left) <= 1


@many
@given(st.data(), keys, names)
def test_nothing_depends_on_the_order_in_which_it_is_given(
    data: st.DataObject, vips: list[str], nodes: list[str]
) -> None:
    one = spread([Unit(vip) for vip in vips], nodes, {})
    shuffled = data.draw(st.permutations(vips)), data.draw(st.permutations(nodes))
    assert spread([Unit(vip) for vip in shuffled[0]], shuffled[1], {}) == one


def fewest_moves(kept: dict[str, str], vips: list[str], nodes: list[str]) -> int:
    """How many of the VIPs that are on one of the nodes have to move for an even spread."""
    loads = sorted((Counter(kept.values())[node] for node in nodes), reverse=True)
    least, more = divmod(len(vips), len(nodes))
    return sum(max(0, load - least - (place < more)) for place, load in enumerate(loads))


@many
@given(st.data(), keys, names)
def test_no_more_vips_move_than_have_to(data: st.DataObject, vips: list[str], nodes: list[str]) -> None:
    before = data.draw(st.dictionaries(st.sampled_from(vips), st.sampled_from([*nodes, "gone"]), min_size=1))
    orders = spread([Unit(vip) for vip in vips], nodes, before)
    kept = {vip: node for vip, node in before.items() if node != "gone"}
    moved = [vip for vip, node in kept.items() if orders[vip][0] != node]
    assert len(moved) == fewest_moves(kept, vips, nodes)
    assert difference([order[0] for order in orders.values()], nodes) <= 1


@many
@given(keys, names.filter(lambda nodes: len(nodes) > 1))
def test_a_node_that_is_taken_off_the_list_moves_what_its_loss_moved(vips: list[str], nodes: list[str]) -> None:
    orders = spread([Unit(vip) for vip in vips], nodes, {})
    for gone in nodes:
        left = [node for node in nodes if node != gone]
        without = {vip: next(node for node in order if node != gone) for vip, order in orders.items()}
        again = spread([Unit(vip) for vip in vips], left, without)
        assert {vip: order[0] for vip, order in again.items()} == without


@many
@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), names)
def test_groups_are_as_even_as_their_sizes_let_them_be(sizes: list[int], nodes: list[str]) -> None:
    units = [Unit(f"10.0.0.{number}", size) for number, size in enumerate(sizes, 1)]
    orders = spread(units, nodes, {})
    counts = Counter(dict.fromkeys(nodes, 0))
    for unit in units:
        counts[orders[unit.key][0]] += unit.weight
    assert max(counts.values()) - min(counts.values()) <= max(sizes)


@many
@given(st.data(), names)
def test_vips_are_apart_as_long_as_there_are_nodes_enough(data: st.DataObject, nodes: list[str]) -> None:
    vips = [f"10.0.0.{number}" for number in range(1, 21)]
    size = data.draw(st.integers(1, min(len(nodes), 6)))
    group = frozenset(data.draw(st.lists(st.sampled_from(vips), min_size=size, max_size=size, unique=True)))
    units = [Unit(vip, apart=group - {vip} if vip in group else frozenset()) for vip in vips]
    before = data.draw(st.dictionaries(st.sampled_from(vips), st.sampled_from(nodes)))
    orders = spread(units, nodes, before)
    for count, enough in ((0, size), (1, size + 1), (2, 2 * size)):
        if len(nodes) >= max(enough, count + 1):
            for lost in combinations(nodes, count):
                owners = [next(node for node in orders[vip] if node not in lost) for vip in group]
                assert len(set(owners)) == size
    assert difference([order[0] for order in orders.values()], nodes) <= 1


def test_where_losses_bring_together_what_is_apart_that_is_told() -> None:
    short = {"VIRTUAL_IPS": "10.0.0.1-3", "APART": "10.0.0.1-3"}
    (one,) = plan(NODES="a,b,c", **short).notes
    assert one.startswith("OPENSHIFT_HA_APART: 10.0.0.1 and 10.0.0.")
    assert re.search(r"10.0.0.\d and 10.0.0.\d are both on [abc] when [abc] is lost$", one)
    (two,) = plan(NODES="a,b,c,d,e", **short).notes
    assert re.search(r"10.0.0.\d and 10.0.0.\d are both on [a-e] when [a-e] and [a-e] are lost$", two)
    assert plan(NODES="a,b,c,d,e,f", **short).notes == ()


def test_more_vips_than_nodes_cannot_be_apart() -> None:
    with pytest.raises(
        Invalid, match=r"10.0.0.[123] has to be kept apart from 2 others, which is not possible on 2 nodes"
    ):
        plan(VIRTUAL_IPS="10.0.0.1-3", NODES="a,b", APART="10.0.0.1-3")


def test_a_vip_is_where_it_is_preferred_and_then_where_it_is_preferred_next() -> None:
    found = plan(VIRTUAL_IPS="10.0.0.1-9", NODES="a,b,c,d", PREFER="10.0.0.2-3=d,c,b,a; 10.0.0.9=a")
    orders = {one.vips[0]: one.nodes for one in found.instances}
    assert orders["10.0.0.2"] == orders["10.0.0.3"] == ("d", "c", "b", "a")
    assert orders["10.0.0.9"][0] == "a"
    assert sorted(loads(found).values()) == [2, 2, 2, 3]


def test_vips_are_together_through_all_losses() -> None:
    found = plan(VIRTUAL_IPS="10.0.0.1-9", NODES="a,b,c,d", TOGETHER="10.0.0.1,10.0.0.5; 10.0.0.5,10.0.0.9")
    orders = {one.vips[0]: one.ranks for one in found.instances}
    assert orders["10.0.0.1"] == orders["10.0.0.5"] == orders["10.0.0.9"]
    assert sorted(loads(found).values()) == [2, 2, 2, 3]


@pytest.mark.parametrize(
    ("short", "complaint"),
    [
        pytest.param({"PREFER": "10.0.0.9=a"}, "PREFER: 10.0.0.9 is none of the VIPs", id="strange-vip"),
        pytest.param({"PREFER": "10.0.0.1=x"}, "PREFER: x is none of the nodes a, b, c", id="strange-node"),
        pytest.param({"PREFER": "10.0.0.1=a;10.0.0.1=b"}, "PREFER: 10.0.0.1 is named twice", id="twice"),
        pytest.param(
            {"PREFER": "10.0.0.1=a;10.0.0.2=b", "VIP_GROUPS": "2"},
            "PREFER: 10.0.0.2 is of one instance or set with 10.0.0.1, which prefers other nodes",
            id="one-group-two-nodes",
        ),
        pytest.param(
            {"APART": "10.0.0.1-2", "VIP_GROUPS": "2"},
            "APART: 10.0.0.1 and 10.0.0.2 are of one instance (OPENSHIFT_HA_VIP_GROUPS) or together",
            id="apart-in-one-group",
        ),
        pytest.param({"APART": "10.0.0.1-2", "TOGETHER": "10.0.0.1-2"}, "and cannot be apart", id="apart-and-together"),
        pytest.param(
            {"APART": "10.0.0.1-2", "PREFER": "10.0.0.1-2=a"},
            "10.0.0.2 is to be on a, and apart from another that is to be there, too",
            id="apart-and-preferred",
        ),
        pytest.param({"NODES": "", "APART": "10.0.0.1-2"}, "APART: it needs an even spread over nodes", id="no-nodes"),
    ],
)
def test_what_contradicts_itself_is_refused(short: dict[str, str], complaint: str) -> None:
    with pytest.raises(Invalid) as caught:
        plan(**{"VIRTUAL_IPS": "10.0.0.1-4", "NODES": "a,b,c", **short})
    assert complaint in str(caught.value)


def test_priorities_are_254_and_down_whatever_the_number_of_nodes() -> None:
    found = plan(VIRTUAL_IPS="10.0.0.1", NODES=",".join(f"n{number}" for number in range(254)))
    assert [priority for _, priority in found.instances[0].ranks] == list(range(254, 0, -1))


@pytest.mark.parametrize(("nodes", "step"), [(1, 20), (2, 20), (3, 20), (5, 20), (7, 16), (50, 2), (100, 1), (254, 1)])
def test_priorities_are_as_far_apart_as_there_is_room_above_those_by_hash(nodes: int, step: int) -> None:
    found = list(priorities(nodes))
    assert found == [HIGHEST - step * number for number in range(nodes)]
    assert found[-1] >= (LOWEST_HASHED if nodes <= 100 else 1)


@many
@given(keys, names)
def test_by_hash_a_node_needs_to_know_no_other(vips: list[str], nodes: list[str]) -> None:
    for vip in vips:
        ranks = by_hash(vip, nodes)
        assert dict(ranks) == {node: hashed_priority(node, vip) for node in nodes}
        priorities = [priority for _, priority in ranks]
        assert priorities == sorted(priorities, reverse=True)
        assert LOWEST_HASHED <= priorities[-1] <= priorities[0] <= HIGHEST


def test_of_equal_priorities_the_higher_address_wins() -> None:
    nodes = [f"10.0.0.{number}" for number in range(1, 255)]
    ranks = by_hash("10.9.9.9", nodes)
    ties = [(one[0], two[0]) for one, two in zip(ranks, ranks[1:]) if one[1] == two[1]]
    assert ties
    assert all(int(first.rpartition(".")[2]) > int(second.rpartition(".")[2]) for first, second in ties)


def test_nodes_are_ordered_by_number_not_as_words() -> None:
    assert in_order(["10.0.0.10", "10.0.0.9", "fd00::1", "b", "a"]) == ("a", "b", "10.0.0.9", "10.0.0.10", "fd00::1")


@pytest.mark.parametrize(("vips", "nodes"), [(7, 4), (60, 10)])
def test_the_unevenness_that_is_told_is_what_hashes_make(vips: int, nodes: int) -> None:
    fullest = []
    for trial in range(200):
        owners = [by_hash(f"{trial}-{vip}", [str(node) for node in range(nodes)])[0][0] for vip in range(vips)]
        fullest.append(max(Counter(owners).values()))
    usual, most = (fullest_by_hash(vips, nodes, certainty) for certainty in (0.5, 0.95))
    assert sum(one <= usual for one in fullest) >= 0.42 * 200
    assert sum(one <= most for one in fullest) >= 0.9 * 200
    assert sum(one < most for one in fullest) <= 0.98 * 200


def test_without_nodes_the_plan_tells_how_uneven_hashes_are() -> None:
    found = plan(VIRTUAL_IPS="10.0.0.1-7", REPLICA_COUNT="4")
    assert (found.placement, found.nodes, masters_known(found.instances)) == ("unknown", (), False)
    (note,) = found.notes
    assert "of 7 instances on 4 nodes the fullest node has about 3, at most 5 in 19 of 20 cases" in note
    assert "where an even spread has 2" in note


def masters_known(instances: object) -> bool:
    assert isinstance(instances, tuple)
    return any(one.ranks for one in instances)


def test_by_hash_the_plan_is_that_of_nodes_that_do_not_know_each_other() -> None:
    found = plan(placement="hash", VIRTUAL_IPS="10.0.0.1-40", NODES="a,b,c")
    assert masters(found) == {vip: by_hash(vip, "abc")[0][0] for vip in masters(found)}
    assert max(loads(found).values()) - min(loads(found).values()) > 1
    with pytest.raises(Invalid, match="it needs an even spread"):
        plan(placement="hash", VIRTUAL_IPS="10.0.0.1-40", NODES="a,b,c", APART="10.0.0.1-2")


def test_an_even_spread_needs_nodes() -> None:
    with pytest.raises(Invalid, match="--spread even needs --nodes"):
        plan(placement="even", VIRTUAL_IPS="10.0.0.1")
