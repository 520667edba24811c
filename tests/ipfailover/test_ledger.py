"""What the ledger keeps: no VIP's id changes because another came or went."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.ipfailover.ledger import Entry, Kept, Ledger, read, released, write
from hachecks.settings import Invalid
from tests.ipfailover.given import ids, many, masters, plan_and_ledger

NAME = "OpenShift-IPFailover"


def after(ledger: Ledger, vips: str, **more: str) -> tuple[dict[str, int], Ledger]:
    found, kept = plan_and_ledger(ledger, VIRTUAL_IPS=vips, **{"VRRP_ID_OFFSET": "0", **more})
    return ids(found), kept


def test_removing_from_the_middle_leaves_all_others_their_ids() -> None:
    _, ledger = after({}, "10.0.0.1-5")
    assert after(ledger, "10.0.0.1,10.0.0.3-5")[0] == {"10.0.0.1": 1, "10.0.0.3": 3, "10.0.0.4": 4, "10.0.0.5": 5}


def test_inserting_and_reordering_leave_all_others_their_ids() -> None:
    _, ledger = after({}, "10.0.0.1-3")
    found, _ = after(ledger, "10.0.0.3,10.0.0.9,10.0.0.1,10.0.0.2")
    assert found == {"10.0.0.1": 1, "10.0.0.2": 2, "10.0.0.3": 3, "10.0.0.9": 4}


def test_an_id_rests_until_the_change_is_everywhere() -> None:
    _, ledger = after({}, "10.0.0.1-3")
    _, ledger = after(ledger, "10.0.0.1,10.0.0.3")
    assert after(ledger, "10.0.0.1,10.0.0.3,10.0.0.9")[0]["10.0.0.9"] == 4
    ledger = {name: released(kept) for name, kept in ledger.items()}
    assert after(ledger, "10.0.0.1,10.0.0.3,10.0.0.9")[0]["10.0.0.9"] == 2


def test_a_vip_that_comes_back_meanwhile_has_its_id_again() -> None:
    _, ledger = after({}, "10.0.0.1-3")
    _, ledger = after(ledger, "10.0.0.1,10.0.0.3")
    assert after(ledger, "10.0.0.1,10.0.0.9,10.0.0.2,10.0.0.3")[0] == {
        "10.0.0.1": 1,
        "10.0.0.2": 2,
        "10.0.0.3": 3,
        "10.0.0.9": 4,
    }


def test_a_new_vip_of_a_full_configuration_of_groups_joins_the_smallest() -> None:
    _, ledger = after({}, "10.0.0.1-5", VIP_GROUPS="2")
    found, ledger = after(ledger, "10.0.0.1-6", VIP_GROUPS="2")
    assert found == {
        **dict.fromkeys(["10.0.0.1", "10.0.0.2", "10.0.0.3"], 1),
        "10.0.0.4": 2,
        "10.0.0.5": 2,
        "10.0.0.6": 2,
    }
    assert [one.vips for one in ledger[NAME].entries][1] == ("10.0.0.4", "10.0.0.5", "10.0.0.6")


def test_a_vip_that_leaves_a_group_and_comes_back_is_in_the_same_one() -> None:
    _, ledger = after({}, "10.0.0.1-4", VIP_GROUPS="2")
    _, ledger = after(ledger, "10.0.0.1,10.0.0.2", VIP_GROUPS="2")
    found, _ = after(ledger, "10.0.0.1,10.0.0.2,10.0.0.4", VIP_GROUPS="2")
    assert found == {"10.0.0.1": 1, "10.0.0.2": 1, "10.0.0.4": 2}


def test_other_groups_split_nothing_that_is_kept_and_that_is_told() -> None:
    _, ledger = after({}, "10.0.0.1-4")
    found, _ = plan_and_ledger(ledger, VIRTUAL_IPS="10.0.0.1-5", VIP_GROUPS="2", VRRP_ID_OFFSET="0")
    assert ids(found) == {"10.0.0.1": 1, "10.0.0.2": 2, "10.0.0.3": 3, "10.0.0.4": 4, "10.0.0.5": 1}
    (note,) = [note for note in found.notes if "VIP_GROUPS" in note]
    assert "2 groups are asked for, and the ledger keeps 4 instances" in note


def test_another_offset_counts_for_new_vips_only() -> None:
    _, ledger = after({}, "10.0.0.1-2")
    assert after(ledger, "10.0.0.1-3", VRRP_ID_OFFSET="50")[0] == {"10.0.0.1": 1, "10.0.0.2": 2, "10.0.0.3": 51}


def test_an_id_that_is_excluded_later_is_the_only_one_that_changes() -> None:
    _, ledger = after({}, "10.0.0.1-3")
    found, _ = after(ledger, "10.0.0.1-3", HA_EXCLUDED_VRRP_IDS="2")
    assert found == {"10.0.0.1": 1, "10.0.0.2": 4, "10.0.0.3": 3}


def test_a_full_ledger_is_told_with_what_rests() -> None:
    _, ledger = after({}, "10.0.0.1-255")
    _, ledger = after(ledger, "10.0.0.2-255")
    with pytest.raises(Invalid) as caught:
        after(ledger, "10.0.0.2-255,10.0.1.1")
    assert "255 instances need 255 ids, limit 254 above the offset 0" in str(caught.value)
    assert "; ids that rest, 1, are freed by --rolled-out once every node has this plan" in str(caught.value)
    ledger = {name: released(kept) for name, kept in ledger.items()}
    assert after(ledger, "10.0.0.2-255,10.0.1.1")[0]["10.0.1.1"] == 1


def test_another_configuration_s_ids_are_not_taken() -> None:
    other = {"geo": Kept("", (Entry(1, 11, ("10.0.3.1",)), Entry(2, 12, (), ("10.0.3.2",))))}
    with pytest.raises(Invalid, match=r"id 11 of 10.0.0.1 is the configuration geo's on the same interface"):
        plan_and_ledger(other, VIRTUAL_IPS="10.0.0.1")
    assert ids(plan_and_ledger(other, VIRTUAL_IPS="10.0.0.1", VRRP_ID_OFFSET="12")[0]) == {"10.0.0.1": 13}


def test_on_another_interface_the_same_ids_are_free() -> None:
    other = {"geo": Kept("eth1", (Entry(1, 11, ("10.0.3.1",)),))}
    assert ids(plan_and_ledger(other, VIRTUAL_IPS="10.0.0.1", NETWORK_INTERFACE="eth0")[0]) == {"10.0.0.1": 11}
    for same in ({"NETWORK_INTERFACE": "eth1"}, {}):
        with pytest.raises(Invalid, match="another OPENSHIFT_HA_VRRP_ID_OFFSET"):
            plan_and_ledger(other, VIRTUAL_IPS="10.0.0.1", **same)


def test_a_vip_of_another_configuration_is_refused() -> None:
    other = {"geo": Kept("eth1", (Entry(1, 11, ("10.0.0.1",)),))}
    with pytest.raises(Invalid, match=r"10.0.0.1 is in two configurations, geo and OpenShift-IPFailover"):
        plan_and_ledger(other, VIRTUAL_IPS="10.0.0.1", NETWORK_INTERFACE="eth0")


def test_what_is_not_planned_now_is_kept_as_it_is() -> None:
    other = {"geo": Kept("eth1", (Entry(1, 99, ("10.0.3.1",), ("10.0.3.2",), ("a", "b")),))}
    assert after(other, "10.0.0.1")[1]["geo"] == other["geo"]


GOOD = '{"hachecks_ipfailover_ledger": 1, "configurations": {"x": {"interface": "", "instances": [%s]}}}'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("", "this is no ledger", id="empty"),
        pytest.param("[]", "this is no ledger", id="list"),
        pytest.param("[" * 100_000, "this is no ledger", id="deep"),
        pytest.param("{}", "this is no ledger", id="without-its-mark"),
        pytest.param('{"hachecks_ipfailover_ledger": 2}', "a ledger of version 2, expected 1", id="newer"),
        pytest.param(GOOD % '{"number": 1, "id": "1", "vips": []}', "this is no ledger", id="id-as-text"),
        pytest.param(GOOD % '{"number": 1, "id": true, "vips": []}', "this is no ledger", id="id-as-a-truth-value"),
        pytest.param(GOOD % '{"number": 1, "id": 256, "vips": []}', "id 256 or number 1 is out of range", id="id-256"),
        pytest.param(GOOD % '{"number": 1, "id": 0, "vips": []}', "id 0 or number 1 is out of range", id="id-0"),
        pytest.param(GOOD % '{"number": 1, "id": 1, "vips": ["x"]}', "this is no ledger", id="no-address"),
        pytest.param(
            GOOD % '{"number": 1, "id": 1, "vips": []}, {"number": 2, "id": 1, "vips": []}',
            "FILE: x: the id 1 is in it twice",
            id="id-twice",
        ),
        pytest.param(
            GOOD % '{"number": 1, "id": 1, "vips": ["10.0.0.1"], "resting": ["10.0.0.1"]}',
            "FILE: x: the VIP 10.0.0.1 is in it twice",
            id="vip-twice",
        ),
    ],
)
def test_what_is_no_ledger_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(Invalid, match=r"^FILE: ") as caught:
        read(text, "FILE")
    assert complaint in str(caught.value)


def test_a_ledger_is_read_as_it_was_written() -> None:
    _, ledger = plan_and_ledger({}, VIRTUAL_IPS="10.0.0.1-5,fd00::1", NODES="a,b,c,d", VIP_GROUPS="4")
    _, ledger = plan_and_ledger(ledger, VIRTUAL_IPS="10.0.0.1-4", NODES="a,b,c,d", VIP_GROUPS="4")
    text = write(ledger)
    assert read(text, "x") == ledger
    assert json.loads(text)
    assert write(read(text, "x")) == text


last_parts = st.lists(st.integers(1, 40), min_size=1, max_size=30, unique=True)
edits = st.lists(st.tuples(last_parts, st.integers(0, 6), st.booleans()), min_size=2, max_size=5)


@many
@given(edits, st.integers(0, 200), st.sets(st.integers(1, 255), max_size=5))
def test_no_edit_changes_the_id_of_a_vip_that_stays(
    edits: list[tuple[list[int], int, bool]], offset: int, excluded: set[int]
) -> None:
    ledger: Ledger = {}
    before: dict[str, int] = {}
    for parts, groups, rolled_out in edits:
        if rolled_out:
            ledger = {name: released(kept) for name, kept in ledger.items()}
        resting = {one.id: one.resting for kept in ledger.values() for one in kept.entries if not one.vips}
        found, ledger = plan_and_ledger(
            ledger,
            VIRTUAL_IPS=",".join(f"10.0.0.{part}" for part in parts),
            VIP_GROUPS=str(groups),
            VRRP_ID_OFFSET=str(offset),
            HA_EXCLUDED_VRRP_IDS=" ".join(map(str, excluded)),
        )
        now = ids(found)
        assert {vip: now[vip] for vip in before if vip in now} == {vip: before[vip] for vip in before if vip in now}
        for one in found.instances:
            assert offset < one.id <= 255
            assert one.id not in excluded
            assert set(resting.get(one.id, one.vips)) & set(one.vips)
        assert len({one.id for one in found.instances}) == len({one.name for one in found.instances})
        assert len(now) == len(parts) == len(set(now))
        assert read(write(ledger), "x") == ledger
        before = now


def test_a_node_that_goes_moves_only_what_it_had_and_one_that_comes_takes_its_share() -> None:
    vips = {"VIRTUAL_IPS": "10.0.0.1-12"}
    four, ledger = plan_and_ledger({}, NODES="a,b,c,d", **vips)
    three, ledger = plan_and_ledger(ledger, NODES="a,c,d", **vips)
    moved = [vip for vip, node in masters(four).items() if masters(three)[vip] != node]
    assert [masters(four)[vip] for vip in moved] == ["b"] * 3
    again, _ = plan_and_ledger(ledger, NODES="a,b,c,d", **vips)
    assert len([vip for vip, node in masters(three).items() if masters(again)[vip] != node]) == 3
