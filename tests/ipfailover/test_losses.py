"""Losses and returns end where VRRP's own election ends, under each preemption strategy."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hachecks.ipfailover.losses import Loads, follow, losses, returned
from tests.ipfailover.given import loads, many, node_lists, plan


class Node:
    """A node as RFC 5798 has it: it knows its own priority and address, and what is advertised."""

    def __init__(self, name: str, priority: int, address: int) -> None:
        self.name, self.priority, self.address = name, priority, address
        self.up, self.master = True, False

    def hears(self, other: Node, preempts: bool) -> None:
        """An advert of another: a master steps back before a better one, a backup takes over from a worse one."""
        better = (other.priority, other.address) > (self.priority, self.address)
        if self.master and better:
            self.master = False
        elif not self.master and preempts and other.priority < self.priority:
            self.master = True


def settle(nodes: list[Node], preempts: bool) -> None:
    """Let all speak until nothing changes; who hears no master becomes one, the best first, by skew."""
    for _ in range(3 * len(nodes)):
        up = [node for node in nodes if node.up]
        if up and not any(node.master for node in up):
            max(up, key=lambda node: (node.priority, node.address)).master = True
        for speaker in [node for node in up if node.master]:
            for node in up:
                if node is not speaker and speaker.master:
                    node.hears(speaker, preempts)


@many
@given(
    st.lists(st.integers(200, 205), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=12),
    st.booleans(),
)
def test_the_owner_is_the_one_that_nodes_elect(
    priorities: list[int], events: list[tuple[int, bool]], preempts: bool
) -> None:
    nodes = [Node(str(number), priority, number) for number, priority in enumerate(priorities)]
    ranked = sorted(nodes, key=lambda node: (node.priority, node.address), reverse=True)
    settle(nodes, preempts)
    told: list[tuple[str, bool]] = []
    for number, returns in events:
        node = nodes[number % len(nodes)]
        told.append((node.name, returns))
        if returns != node.up:
            node.up, node.master = returns, False
            settle(nodes, preempts)
        owner = follow([(one.name, one.priority) for one in ranked], told, preempts)
        assert [one.name for one in nodes if one.up and one.master] == ([owner] if owner else [])


@many
@given(st.integers(1, 30), node_lists, st.sampled_from(["even", "hash"]))
def test_every_loss_of_one_and_of_two_moves_what_they_had_and_nothing_else(
    count: int, nodes: list[str], placement: str
) -> None:
    found = plan(placement=placement, VIRTUAL_IPS=f"10.0.0.1-{count}", NODES=",".join(nodes))
    all_losses = list(losses(found.instances, found.nodes))
    assert len(all_losses) == len(nodes) + len(nodes) * (len(nodes) - 1) // 2
    by_load = Loads(found.instances, found.nodes)
    assert by_load.before == loads(found)
    for loss in all_losses:
        assert {one.vips for one, _ in loss.moves} == {one.vips for one in found.instances if one.nodes[0] in loss.lost}
        left = [node for node in found.nodes if node not in loss.lost]
        owners = [next((node for node in one.nodes if node in left), "") for one in found.instances]
        after = {node: owners.count(node) for node in left}
        assert by_load.after(loss) == after
        assert by_load.extremes(loss) == (min(after.values(), default=0), max(after.values(), default=0))
        for one, node in loss.moves:
            if placement == "even":
                assert returned(one, node, loss.lost, True) == one.nodes[0]
            assert returned(one, node, loss.lost, False) == (node or loss.lost[0])
            for preempts in (False, True):
                events = [(name, True) for name in loss.lost]
                assert returned(one, node, loss.lost, preempts) == follow(one.ranks, events, preempts, loss.lost)


def test_the_last_two_nodes_leave_nobody_and_the_first_that_is_back_keeps_all_without_preemption() -> None:
    found = plan(VIRTUAL_IPS="10.0.0.1-4", NODES="a,b")
    *_, both = losses(found.instances, found.nodes)
    assert both.lost == ("a", "b")
    assert {node for _, node in both.moves} == {None}
    assert {returned(one, node, both.lost, False) for one, node in both.moves} == {"a"}
