"""What becomes of a changed configuration: taken at once, at an instant, or held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hachecks.ipfailover.commands.run import RunCommand
from hachecks.ipfailover.pod.change import HOLD, SAME, TAKE, decide
from hachecks.ipfailover.pod.texts import Texts
from hachecks.ipfailover.pod.wanted import Here, wanted
from hachecks.ipfailover.render.keywords import DEFAULT
from tests.ipfailover.given import variables

if TYPE_CHECKING:
    from pathlib import Path

    from hachecks.ipfailover.pod.wanted import Wanted

NOW = 1_800_000_000.0
BEFORE, AFTER = "2027-01-15T07:59:00Z", "2027-01-15T08:01:00Z"
"""A minute before that, and one after it."""
COMMON = {"VIRTUAL_IPS": "10.0.0.1-3", "NETWORK_INTERFACE": "eth0", "NODES": "a,b,c", "MONITOR_PORT": "0"}
PEERS = {"UNICAST_PEERS": "10.0.9.1,10.0.9.2,10.0.9.3"}
OWN = frozenset({"10.0.9.1"})


def configuration(addresses: frozenset[str] = OWN, node: str = "a", /, **short: str) -> Wanted:
    """What these variables come to on a node."""
    here = Here(node, addresses, DEFAULT, "/run/fifo", variables(**{**COMMON, **short}))
    return wanted(RunCommand(), here, Texts())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param({}, {"VIRTUAL_IPS": "10.0.0.1-4"}, id="another-vip"),
        pytest.param({}, {"VIRTUAL_IPS": "10.0.0.1-2"}, id="one-less"),
        pytest.param({}, {"CHECK_INTERVAL": "5", "MONITOR_PORT": "80"}, id="another-check"),
        pytest.param({}, {"NODES": "a,b,c,d"}, id="another-node"),
        pytest.param({}, {"VRRP_VERSION": "3", "NODES": "b,c"}, id="a-node-leaves"),
        pytest.param(PEERS, {"UNICAST_PEERS": f"{PEERS['UNICAST_PEERS']},10.0.9.4", "NODES": "a,b,c,d"}, id="peer"),
        pytest.param({}, {"VRRP_VERSION": "3", "CHANGE_AT": BEFORE}, id="an-instant-that-is-past"),
    ],
)
def test_it_is_taken_at_once(old: dict[str, str], new: dict[str, str]) -> None:
    assert decide(configuration(**old), configuration(**{**old, **new}), NOW).kind == TAKE


@pytest.mark.parametrize(
    ("new", "why"),
    [
        pytest.param({"VRRP_VERSION": "3"}, "it was VRRP 2 and is VRRP 3", id="version"),
        pytest.param({"ADVERT_INT": "2"}, "adverts came every 1 s and come every 2 s", id="interval"),
        pytest.param(PEERS, "adverts went by multicast and go by unicast", id="unicast"),
        pytest.param({"VRRP_ID_OFFSET": "20"}, "its id was 11 and is 21", id="id"),
        pytest.param({"CONFIG_NAME": "other"}, "the password was 'OpenShif' and is 'other'", id="password"),
        pytest.param({"NETWORK_INTERFACE": "eth1"}, "VRRP was on eth0 and is on eth1", id="interface"),
    ],
)
def test_it_is_held_where_a_vip_would_be_served_twice(new: dict[str, str], why: str) -> None:
    found = decide(configuration(), configuration(**new), NOW)
    assert (found.kind, found.at) == (HOLD, 0.0)
    assert "10.0.0.1 and 2 more would be served twice until every node has the new plan, since" in found.why
    assert why in found.why
    assert "OPENSHIFT_HA_CHANGE_AT is not set" in found.why
    timed = decide(configuration(), configuration(**new, CHANGE_AT=AFTER), NOW)
    assert (timed.kind, timed.at) == (HOLD, NOW + 60)


def test_the_instant_of_the_change_before_is_not_that_of_this_one() -> None:
    old = configuration(CHANGE_AT=BEFORE)
    found = decide(old, configuration(VRRP_VERSION="3", CHANGE_AT=BEFORE), NOW)
    assert found.kind == HOLD
    assert "OPENSHIFT_HA_CHANGE_AT names the instant of an earlier change" in found.why


def test_who_renumbers_without_a_ledger_is_told_of_it() -> None:
    found = decide(configuration(), configuration(VRRP_ID_OFFSET="20"), NOW)
    assert "give --ledger, with which no id is another" in found.why


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("10.0.0.1-3", "10.0.0.2-3", id="one-is-taken-from-the-front"),
        pytest.param("10.0.0.1-2", "10.0.0.2,10.0.0.1", id="two-change-places"),
        pytest.param("10.0.0.1-2", "10.0.0.9,10.0.0.1-2", id="one-comes-in-front"),
    ],
)
@pytest.mark.parametrize("at", [None, BEFORE, AFTER])
def test_no_instant_helps_where_a_vip_would_have_an_id_that_another_has(old: str, new: str, at: str | None) -> None:
    named = {"CHANGE_AT": at} if at else {}
    found = decide(configuration(VIRTUAL_IPS=old), configuration(VIRTUAL_IPS=new, **named), NOW)
    assert (found.kind, found.at) == (HOLD, 0.0)
    assert "no reload can make it: 10.0.0." in found.why
    assert "give --ledger" in found.why


def test_an_id_that_a_vip_has_which_goes_is_in_use_until_it_has_gone() -> None:
    found = decide(configuration(), configuration(VIRTUAL_IPS="10.0.0.3", CHANGE_AT=AFTER), NOW)
    assert "10.0.0.3 would have the id 11, which 10.0.0.1 has now" in found.why


def test_nothing_is_done_for_a_comment_or_the_order_of_lines() -> None:
    assert decide(configuration(), configuration(ADMIN_EMAILS="x@example.test"), NOW).kind == SAME


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "pass"
    path.write_text("secret-1\n")
    return path


def test_another_password_in_the_same_file_makes_two_elections(secret: Path) -> None:
    old = configuration(AUTH_PASS_FILE=str(secret))
    secret.write_text("secret-2\n")
    found = decide(old, configuration(AUTH_PASS_FILE=str(secret)), NOW)
    assert found.kind == HOLD
    assert f"the password was in {secret} and is in {secret}, which has another since" in found.why
    assert "secret-" not in found.why


def test_the_same_password_in_a_file_makes_one(secret: Path) -> None:
    secret.write_text("OpenShif\n")
    assert decide(configuration(), configuration(AUTH_PASS_FILE=str(secret)), NOW).kind == SAME


def test_another_key_makes_two_elections_where_adverts_are_signed(secret: Path) -> None:
    for mode, kind in (("receive-only", TAKE), ("enforce", HOLD)):
        short = {"AUTH_HMAC_KEY_FILE": str(secret), "AUTH_HMAC_MODE": mode, "VRRP_VERSION": "3"}
        secret.write_text("k" * 64 + "\n")
        old = signed(**short)
        secret.write_text("l" * 64 + "\n")
        assert decide(old, signed(**short), NOW).kind == kind


def signed(**short: str) -> Wanted:
    here = Here("a", OWN, (2, 4, 3), "/run/fifo", variables(**{**COMMON, **short}))
    return wanted(RunCommand(), here, Texts())


def test_a_node_is_known_by_its_address() -> None:
    one = configuration(frozenset({"10.0.9.2", "10.0.0.1"}), "host", **PEERS, NODES="")
    assert one.target
    assert one.target.node == "10.0.9.2"
    # A VIP that was left here is no address of the node's own.
    assert configuration(frozenset({"10.0.0.1"}), "host", NODES="10.0.0.1,10.0.9.9").target is None


def test_a_node_that_has_a_name_speaks_from_its_own_address() -> None:
    one = configuration(frozenset({"10.0.9.2"}), "b", **PEERS)
    assert "unicast_src_ip 10.0.9.2" in one.lines
    assert "10.0.9.2" not in [line for line in one.lines if line.startswith("10.0.9.")]
