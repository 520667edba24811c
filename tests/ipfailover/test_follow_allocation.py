"""Addresses and ids of Services are a pure function that takes nothing from anybody, whatever comes and goes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from hachecks.ipfailover.follow.allocation import Outcome, needed, served, tidied
from hachecks.ipfailover.follow.services import Service
from hachecks.ipfailover.follow.shared import NOTHING, Shared, changed, read
from hachecks.ipfailover.follow.wishes import Wishes
from hachecks.ipfailover.ledger import Entry, Kept
from hachecks.ipfailover.settings import Settings, settings_of
from hachecks.ipfailover.sources import env_file
from hachecks.ipfailover.vips import parse
from hachecks.settings import Invalid

OWN = "OPENSHIFT_HA_CONFIG_NAME=router\nOPENSHIFT_HA_VRRP_ID_OFFSET=240\nOPENSHIFT_HA_VIRTUAL_IPS="
ROOM = tuple(map(str, parse("10.0.0.1-8,fd00::1-3").addresses))


def own(vips: str, more: str = "") -> Settings:
    return settings_of(env_file(f"{OWN}{vips}\n{more}", "own").given, (5, 1))


def a_service(name: str, asked: tuple[str, ...] = (), families: tuple[int, ...] = (4,), **changes: Any) -> Service:
    whole = Service(
        f"default/{name}",
        f"uid-{name}",
        "2026-11-30T00:00:00Z",
        "1",
        True,
        asked,
        families,
        (),
        f"check {name}",
        "",
        (),
    )
    return whole._replace(**changes)


def wishes(*services: Service, vips: str = "10.1.0.1", room: tuple[str, ...] = ROOM, **more: Any) -> Wishes:
    return Wishes(own(vips), room, None, services, **more)


SERVICES = st.lists(
    st.builds(
        a_service,
        st.sampled_from("abcdefghijkl"),
        st.sampled_from([(), (), (), ("10.0.0.3",), ("10.0.0.8", "fd00::2"), ("10.1.0.1",), ("192.0.2.1",)]),
        st.sampled_from([(4,), (6,), (4, 6)]),
        external=st.sampled_from([(), (), ("10.9.0.1",), ("10.0.0.4",), ("10.1.0.2",)]),
        is_ours=st.sampled_from([True, True, False]),
    ),
    max_size=12,
    unique_by=lambda one: one.key,
)
STEPS = st.lists(
    st.tuples(SERVICES, st.sampled_from(["10.1.0.1", "10.1.0.1-3", ""]), st.booleans()), min_size=1, max_size=8
)


def ids(shared: Shared) -> dict[str, int]:
    return {vip: one.id for kept in (shared.ledger or {}).values() for one in kept.entries for vip in one.vips}


def in_the_end(wish: Wishes, shared: Shared) -> Outcome:
    """What it comes to: a Service may ask for what another one only now gives up."""
    for _ in range(4):
        outcome = needed(wish, shared)
        if outcome.shared == shared:
            return outcome
        shared = outcome.shared
    raise AssertionError("it comes to no end")


@given(STEPS)
@trying(max_examples=60, deadline=None)
def test_whatever_comes_and_goes_nobody_loses_what_is_his(steps: list[tuple[list[Service], str, bool]]) -> None:
    shared = NOTHING
    for services, vips, tidies in steps:
        wish = wishes(*services, vips=vips)
        before = ids(shared)
        table = dict(shared.allocations.get("router", {}))
        after, refused = in_the_end(wish, shared)
        assert len(set(ids(after).values())) == len(ids(after)) <= 15
        # Whatever had an id has the same one, needed or not.
        assert all(ids(after)[vip] == one for vip, one in before.items())
        found = [(one.vip, service) for one, service in served(wish, after)]
        assert len({vip for vip, _ in found}) == len(found)
        assert not {vip for vip, _ in found} & set(wish.own)
        allocated = after.allocations.get("router", {})
        held = [vip for mine in allocated.values() for vip in mine]
        assert len(set(held)) == len(held)
        assert set(held) <= set(ROOM)
        for one in services:
            if one.is_ours and not one.asked and table.get(one.key) and not refused.get(one.key):
                kept = [vip for vip in table[one.key] if (6 if ":" in vip else 4) in one.families]
                fair = [
                    vip for vip in kept if vip not in wish.own and not any(vip in other.external for other in services)
                ]
                assert set(fair) <= set(allocated.get(one.key, ()))
        # It goes through the ConfigMap, and comes back.
        text = json.loads(json.dumps(changed(None, "x", "y", after)))
        assert read(text, "x") == after._replace(ledger=after.ledger or {})
        if tidies:
            tidy = tidied(wish, after)
            assert [one.vip for one, _ in served(wish, tidy)] == [vip for vip, _ in found]
            assert all(ids(tidy)[vip] == one for vip, one in ids(after).items() if vip in ids(tidy))
            assert needed(wish, tidy).shared == tidy
            after = tidy
        shared = after


def test_an_address_that_rests_is_given_last() -> None:
    shared = needed(wishes(a_service("a")), NOTHING).shared
    assert shared.allocations["router"] == {"default/a": ("10.0.0.1",)}
    shared = tidied(wishes(), shared)
    assert shared.allocations["router"] == {}
    assert needed(wishes(a_service("b")), shared).shared.allocations["router"] == {"default/b": ("10.0.0.2",)}


def test_configurations_that_share_a_ledger_keep_apart() -> None:
    other = {"geo": Kept("", (Entry(1, 242, ("10.0.0.1",)), Entry(2, 244, ("10.0.0.2",))))}
    shared, refused = needed(wishes(a_service("a"), a_service("b", ("10.0.0.2",))), Shared(other, {}))
    assert shared.allocations == {"router": {"default/a": ("10.0.0.3",)}}
    assert refused == {"default/b": "default/b: 10.0.0.2 is a VIP of OPENSHIFT_HA_VIRTUAL_IPS; ask for another one"}
    assert shared.ledger is not None
    assert shared.ledger["geo"] == other["geo"]
    assert not {one.id for one in shared.ledger["router"].entries} & {242, 244}


def test_variables_that_cannot_be_planned_are_told_and_change_nothing() -> None:
    with pytest.raises(Invalid, match="limit 15 above the offset 240"):
        needed(wishes(a_service("a"), vips="10.1.0.1-20"), NOTHING)


def test_nodes_that_name_other_nodes_do_not_change_what_is_remembered_to_and_fro() -> None:
    one, two = (
        Wishes(own("10.1.0.1-4", f"OPENSHIFT_HA_NODES={nodes}\n"), ROOM, None, ()) for nodes in ("a,b", "a,b,c")
    )
    shared = needed(one, NOTHING).shared
    assert needed(two, shared).shared == shared
    later = tidied(two, shared)
    assert later != shared
    assert needed(one, later).shared == later
