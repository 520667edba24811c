"""What preflight makes of adverts, of who answers, and of interfaces, without any wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.pod.preflight import elections, interface
from hachecks.ipfailover.pod.preflight.answered import by_others
from hachecks.ipfailover.pod.preflight.finding import listed
from hachecks.ipfailover.pod.preflight.hearing import Heard
from hachecks.ipfailover.pod.preflight.links import IFF_LOWER_UP, IFF_MULTICAST, IFF_UP, Held, Link, Links
from hachecks.ipfailover.render import Options, target
from hachecks.wire.frames import Advert
from tests.ipfailover.given import settings, variables

if TYPE_CHECKING:
    from hachecks.ipfailover.render.target import Target

MAC, VIRTUAL = "02:00:00:00:00:09", "00:00:5e:00:01:0b"
RIGHT = Advert(
    *("eth0", MAC, "10.0.0.2", "224.0.0.18", "ipv4", 2, 11, 200),
    *(("10.0.1.1",), 1.0, 1, b"ha"),
)
"""What a peer says of the first VIP."""


def of(**short: str) -> Target:
    given = {"CONFIG_NAME": "ha", "NETWORK_INTERFACE": "eth0", "VIRTUAL_IPS": "10.0.1.1-3", **short}
    one = settings(variables(**given))
    (plan,), _ = plan_all([one], {}, None)
    return target(plan, one, "node-1", Options())


def found(*adverts: Advert, **short: str) -> list[tuple[str, str]]:
    return [(one.kind, one.text) for one in elections.look(of(**short), adverts, {"10.0.0.1"})]


def test_what_peers_say_is_right() -> None:
    assert found(RIGHT, RIGHT._replace(id=12, addresses=("10.0.1.2",)), RIGHT._replace(priority=0, version=3)) == []
    assert found(RIGHT._replace(version=3, auth_type=0, advert_interval=0.5), VRRP_VERSION="3") == []


@pytest.mark.parametrize(
    ("change", "how"),
    [
        ({"version": 3}, "by VRRP 3, which is 2 here"),
        ({"auth_type": 0}, "without a password, which they have here"),
        ({"auth_type": 2}, "without a password, which they have here"),
        ({"password": b"\xff\n"}, "with another password than here"),
        ({"advert_interval": 2.0}, "every 2 s, which is 1 s here"),
        ({"id": 12}, "under the id 12, which is 11 here"),
        ({"addresses": ("10.0.1.1", "10.0.1.2")}, "with 2 addresses, which is 1 here"),
        ({"destination": "10.0.0.1"}, "by unicast, which is multicast here"),
    ],
)
def test_a_peer_that_would_not_hear_us_is_waited_for(change: dict[str, Any], how: str) -> None:
    assert found(RIGHT._replace(**change)) == [
        (
            "wait",
            f"10.0.1.1 is advertised on eth0 by 10.0.0.2 ({MAC}) {how}: neither would hear the other, and both be "
            "master; change all nodes at once, by hacheck ipfailover migrate",
        )
    ]


def test_an_id_of_another_family_is_none_of_ours() -> None:
    other = RIGHT._replace(family="ipv6", source="fe80::9", addresses=("fd00::9",), version=3)
    assert found(other) == []
    assert len(found(RIGHT._replace(addresses=("10.9.9.9",)))) == 1


def test_adverts_from_our_own_address_are_told() -> None:
    ((kind, text),) = found(RIGHT._replace(source="10.0.0.1"))
    assert kind == "warn"
    assert text.startswith(f"adverts for our VIPs come on eth0 from this node's own address ({MAC})")


def test_a_great_many_strangers_are_one_line() -> None:
    strangers = [RIGHT._replace(id=11 + number % 3, source=f"10.0.9.{number}", addresses=()) for number in range(200)]
    assert [text.partition(" (")[0] for _, text in found(*strangers)] == [
        *(f"the id {number} on eth0 belongs to 10.0.9.{first}" for number, first in ((11, 0), (12, 1), (13, 101)))
    ]
    ids = [RIGHT._replace(id=1 + number, source=f"10.0.9.{number}", addresses=()) for number in range(200)]
    (line,) = [text for _, text in found(*ids, VIRTUAL_IPS="10.0.1.1-9")]
    assert line.startswith("the ids 11, 12, 13 and 6 more on eth0 belong to 10.0.9.10")


def test_the_hardware_address_that_vrrp_gives_a_master_is_right_where_one_is_heard() -> None:
    heard = Heard()
    heard.take_answer("10.0.1.1", VIRTUAL)
    assert len(list(by_others(of(), heard, "eth0", ()))) == 1
    heard.take_advert(RIGHT)
    assert list(by_others(of(), heard, "eth0", ())) == []
    heard.take_answer("10.0.1.1", "02:00:00:00:00:77")
    heard.take_answer("10.0.1.2", "02:00:00:00:00:77")
    (one,) = by_others(of(), heard, "eth0", ())
    assert one.text.startswith("10.0.1.1 and 10.0.1.2 are answered for on eth0 by 02:00:00:00:00:77, from which")
    assert list(by_others(of(), heard, "eth0", ("02:00:00:00:00:77",))) == []


FLAGS = IFF_UP | IFF_LOWER_UP | IFF_MULTICAST
PORTS = {
    "Open vSwitch": ((Link(2, "ovs-system", "02:00:00:00:00:02", FLAGS, "openvswitch", 0),), 2, "bridge br-ex"),
    "a bond": ((Link(2, "bond0", "02:00:00:00:00:01", FLAGS, "bond", 0),), 2, "bond bond0"),
}


@pytest.mark.parametrize("name", PORTS)
def test_a_port_is_told_with_what_to_name_in_its_place(name: str) -> None:
    others, master, heir = PORTS[name]
    links = [Link(1, "eth0", "02:00:00:00:00:01", FLAGS, "", master), *others]
    links.append(Link(3, "br-ex", "02:00:00:00:00:01", FLAGS, "openvswitch", 0))
    holder = 3 if name == "Open vSwitch" else 2
    there = Links({one.name: one for one in links}, (Held("10.0.0.1", 16, holder, False, 0),), frozenset({"br-ex"}))
    texts = [one.text for one in interface.look(of().settings, ["10.0.1.1"], "eth0", there)]
    assert texts[0] == (
        f"OPENSHIFT_HA_NETWORK_INTERFACE: eth0 is a port of the {heir}, which has the addresses; name {heir.split()[1]}"
    )


def test_a_list_is_as_long_as_a_line_bears() -> None:
    assert [listed("abcdef"[:count]) for count in range(6)] == [
        *("", "a", "a and b", "a, b and c", "a, b, c and 1 more", "a, b, c and 2 more")
    ]
