"""Where each VIP is over all nodes: what their answers come to, whoever wrote them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hachecks.group import answer as answers
from hachecks.group.answer import Answer, Held
from hachecks.group.differences import differences, listed
from hachecks.group.judgement import Group, Member, judged
from hachecks.group.words import document, headline
from hachecks.keepalived.alike import fingerprints
from hachecks.keepalived.configuration import read_written_text

VIPS = ("10.0.0.1", "10.0.0.2")
AT = 1_790_000_000.0


def answer(node: str, *on: str, vips: tuple[str, ...] = VIPS, **other: Any) -> Answer:
    held = {vip: Held(f"VI_{vip}", "MASTER" if vip in on else "BACKUP", vip in on) for vip in vips}
    return Answer(node, "0.1.0", f"id-{node}", True, "All 2 VIPs are where Keepalived says", held, {}, {})._replace(
        **other
    )


def member(one: Answer) -> Member:
    return Member(f"{one.node}:10112", one.node, one, answered=AT)


def silent(node: str) -> Member:
    return Member(f"{node}:10112", node, None, "connection refused", AT, AT - 1)


def seen(*members: Member) -> Group:
    """What two rounds come to that found the same."""
    return judged(members, judged(members))


A, B, NONE = member(answer("a", *VIPS)), member(answer("b")), member(answer("c"))


@pytest.mark.parametrize(
    ("members", "tone", "sentence", "well"),
    [
        pytest.param((A, B, NONE), "good", "All 2 VIPs are served once", True, id="well"),
        pytest.param((B, NONE), "bad", "All 2 VIPs are served by nobody", False, id="nobody"),
        pytest.param((A, member(answer("b", "10.0.0.1"))), "bad", "1 of 2 VIPs is served twice", False, id="twice"),
        pytest.param((A, member(answer("b", *VIPS))), "bad", "All 2 VIPs are served twice", False, id="all-twice"),
        pytest.param(
            (member(answer("a", "10.0.0.1")), member(answer("b", "10.0.0.1"))),
            "bad",
            "1 of 2 VIPs is served twice, and 1 of 2 VIPs is served by nobody",
            False,
            id="twice-and-nobody",
        ),
        pytest.param((A, silent("b")), "warn", "All 2 VIPs are served once", False, id="silent"),
        pytest.param((B, silent("a")), "unknown", "Not known: whether all 2 VIPs are served", False, id="not-known"),
        pytest.param(
            (member(answer("b", "10.0.0.1")), silent("a")),
            "unknown",
            "Not known: whether 1 of 2 VIPs is served",
            False,
            id="one-not-known",
        ),
        pytest.param(
            (A, member(answer("b", agrees=False))), "warn", "All 2 VIPs are served once", False, id="node-in-trouble"
        ),
        pytest.param((silent("a"),), "unknown", "Not known: which VIPs the group has", False, id="none"),
        pytest.param(
            (member(answer("a", "10.0.0.1", vips=("10.0.0.1",))),), "good", "The VIP is served once", True, id="alone"
        ),
    ],
)
def test_the_headline_says_whether_each_vip_is_served_once(
    members: tuple[Member, ...], tone: str, sentence: str, well: bool
) -> None:
    group = seen(*members)
    top = headline(group)
    assert (top.tone, top.sentence, group.well) == (tone, sentence, well)
    assert (top.tone == "good") == group.well
    assert document(group)["headline"] == sentence


def test_a_vip_that_moves_is_no_alarm_while_the_nodes_are_asked() -> None:
    before = seen(A, B)
    both = (A, member(answer("b", "10.0.0.1")))
    first = judged(both, before)
    assert (first.is_doubtful, headline(first).sentence) == (True, "All 2 VIPs are served once")
    moved = judged((member(answer("a", "10.0.0.2")), member(answer("b", "10.0.0.1"))), first)
    assert (moved.is_doubtful, headline(moved).tone) == (False, "good")
    still = judged(both, first)
    assert (still.is_doubtful, headline(still).sentence) == (False, "1 of 2 VIPs is served twice")


def test_what_was_never_seen_well_is_not_known_until_a_second_look() -> None:
    first = judged((B, NONE))
    assert (first.is_doubtful, headline(first).sentence) == (True, "Not known: whether all 2 VIPs are served")


def test_a_vip_names_who_has_it_and_who_cannot_tell() -> None:
    blind = answer("c")
    blind = blind._replace(vips={"10.0.0.1": Held("VI_1", "MASTER", None)})
    both = seen(A, member(answer("b", "10.0.0.1")), member(blind), silent("d"))
    worst = both.vips[0]
    assert (worst.address, worst.on, worst.masters, worst.unsure) == (
        "10.0.0.1",
        ("a", "b"),
        ("a", "b", "c"),
        ("c", "d"),
    )
    assert worst.trouble == "10.0.0.1 is served twice: by a and b"
    lost = seen(member(blind._replace(vips={"10.0.0.1": Held("VI_1", "MASTER", False)})))
    assert lost.vips[0].trouble == "10.0.0.1 is served by nobody, though Keepalived on c says MASTER"
    assert [vip.owners for vip in seen(B, silent("d")).vips] == [None, None]
    assert [vip.owners for vip in lost.vips] == [0]


def test_nodes_of_one_name_are_told_apart() -> None:
    group = seen(member(answer("a", *VIPS)), Member("10.0.0.9:10112", "a", answer("a")))
    assert [one.name for one in group.members] == ["a (a:10112)", "a (10.0.0.9:10112)"]


def test_versions_settings_and_checks_that_differ_are_told() -> None:
    routers = {f"virtual_router_id {number} (ipv4)": "same" for number in range(1, 256)}
    others = dict.fromkeys(routers, "other")
    told = list(
        differences(
            [
                ("a", answer("a", settings=routers, checks={"web": "1", "db": "1"})),
                ("b", answer("b", settings=routers, checks={"web": "1", "db": "1"})),
                ("c", answer("c", settings=others, checks={"web": "2"}, version="0.2.0")),
                ("d", answer("d")),
            ]
        )
    )
    assert told == [
        "hachecks is 0.1.0 on a, b and d and 0.2.0 on c",
        "virtual_router_id 1 (ipv4), virtual_router_id 2 (ipv4), virtual_router_id 3 (ipv4) and 252 more are "
        "configured one way on a and b, and otherwise on c",
        "check web is declared one way on a and b, and otherwise on c",
        "check db is declared on a and b, and not on c",
    ]
    assert not list(differences([("a", answer("a", settings=routers)), ("b", answer("b", settings=routers))]))
    assert listed(["a", "b", "c", "d"]) == "a, b, c and d"


def test_an_answer_is_read_as_it_was_written() -> None:
    one = answer("a", "10.0.0.1", settings={"virtual_router_id 1 (ipv4)": "0a"}, checks={"web": "1"}, drain="by root")
    assert answers.parse(one.text().encode()) == one


@pytest.mark.parametrize(
    "change",
    [
        {"vips": None}, {"vips": {}}, {"vips": [1]}, {"vips": [["10.0.0.1", "VI", "MASTER"]]},
        {"vips": [["10.0.0.1", "VI", "MASTER", 1]]}, {"vips": [["10.0.0.300", "VI", "MASTER", True]]},
        {"vips": [["10.0.0.1", "VI", "MASTER", True]] * 5000}, {"vips": [["10.0.0.1", 1, "MASTER", True]]},
        {"node": 1}, {"node": ""}, {"identity": ""}, {"version": None}, {"headline": []}, {"settings": []},
        {"settings": {"a": 1}}, {"checks": dict.fromkeys(map(str, range(5000)), "")}, {"drain": 7},
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused(change: dict[str, Any]) -> None:
    document = {**json.loads(answer("a").text()), **change}
    with pytest.raises(ValueError, match=r"\w"):
        answers.parse(json.dumps(document).encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"1", b"\xff", b"[" * 100_000, b'{"node":' + b"9" * 100_000 + b"}"])
def test_what_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        answers.parse(text)


def test_names_are_shown_with_what_they_hide_and_no_longer_than_they_may_be() -> None:
    odd = answer("a\x1b[2J\u202e" + "x" * 1000, headline="y" * 10_000, version="1\n2")
    read = answers.parse(odd.text().encode())
    assert read.node.startswith(r"a\x1b[2J\u202e")
    assert (len(read.node) <= 253, len(read.headline) <= 400, read.version) == (True, True, "1 2")
    unknown = json.loads(answer("a").text())
    unknown["vips"][0][2] = "KING"
    assert answers.parse(json.dumps(unknown).encode()).vips["10.0.0.1"].state == "UNKNOWN"


CONF = """
vrrp_instance VI_1 {
  interface eth0
  virtual_router_id 51
  priority 100
  advert_int 1
  authentication {
    auth_type PASS
    auth_pass secret
  }
  virtual_ipaddress {
    10.0.0.1
    10.0.0.2
  }
}
"""


def alike(text: str) -> dict[str, str]:
    written = read_written_text(text)
    return fingerprints(written.configuration.instances, written.statements, written.defaults)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("priority 100", "priority 200"), ("VI_1", "VI_X"), ("eth0", "ens3"), ("priority 100", "state BACKUP"),
        ("10.0.0.1\n    10.0.0.2", "10.0.0.2/24\n    10.0.0.1"), ("advert_int 1", "advert_int 1.00"),
        ("advert_int 1\n", ""), ("priority 100", "nopreempt"), ("priority 100", "version 2"),
    ],
)  # fmt: skip
def test_what_may_differ_is_in_no_fingerprint(old: str, new: str) -> None:
    assert old in CONF
    assert alike(CONF) == alike(CONF.replace(old, new))
    assert list(alike(CONF)) == ["virtual_router_id 51 (ipv4)"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("10.0.0.2\n", "10.0.0.3\n"), ("10.0.0.2\n", "\n"), ("advert_int 1", "advert_int 2"),
        ("priority 100", "version 3"), ("auth_type PASS", "auth_type AH"), ("auth_pass secret", "auth_pass other"),
        ("virtual_router_id 51", "virtual_router_id 52"),
        ("vrrp_instance", "global_defs {\n vrrp_version 3\n}\nvrrp_instance"),
        ("priority 100", "unicast_peer {\n 10.0.0.9\n }"),
    ],
)  # fmt: skip
def test_what_must_be_alike_is_in_the_fingerprint(old: str, new: str) -> None:
    assert old in CONF
    assert alike(CONF) != alike(CONF.replace(old, new))


def test_of_a_password_no_more_than_a_digit_is_told() -> None:
    words = {tuple(alike(CONF.replace("secret", f"word{number}")).items()) for number in range(200)}
    assert 2 <= len(words) <= 16
