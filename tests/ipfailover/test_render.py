"""A rendered file says what the plan says, in the words of Keepalived, and nothing where something is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.render import Options, rendered
from hachecks.ipfailover.render.command_line import written
from hachecks.ipfailover.spread import hashed_priority
from hachecks.keepalived.configuration import read_text
from hachecks.keepalived.openshift import configuration
from hachecks.keepalived.parser import split_command
from hachecks.settings import Invalid
from tests.ipfailover.given import any_environments, many, settings, variables
from tests.ipfailover.linting import Given
from tests.ipfailover.rendering import CASES, PEERS, block, planned, render

if TYPE_CHECKING:
    from hachecks.ipfailover.ledger import Ledger

UNCHECKED = ("no check", "a drain file, and nothing that is checked")
GOLDEN = Path(__file__).parent / "golden"
NEWEST = Options((2, 4, 3))
KEY = {"AUTH_HMAC_KEY_FILE": "/etc/keepalived/key", "VRRP_VERSION": "3"}


def inside(text: str, keyword: str, begin: str = "vrrp_instance") -> list[str]:
    """The lines of a block within the first block that begins so."""
    lines = [line.strip() for line in block(text, begin)]
    start = lines.index(f"{keyword} {{")
    return lines[start + 1 : lines.index("}", start)]


GOLDENS = {
    "router": (
        {"CONFIG_NAME": "ipf-ha-router", "VIRTUAL_IPS": "10.245.2.101-103", "NODES": "node-1,node-2,node-3",
         "VRRP_ID_OFFSET": "0"},
        "node-2",
        Options(),
    ),
    "groups": (
        {"CONFIG_NAME": "geo", "VIRTUAL_IPS": "10.0.0.1-3,fd00::1-3", "VIP_GROUPS": "2", "PREEMPTION": "nopreempt",
         "NODES": "a,b", "TRACK_FILE": "/run/hachecks/geo", "NOTIFY_SCRIPT": "sh /etc/keepalive/hacheck notify",
         "CHECK_SCRIPT_2": "/etc/keepalive/six.sh {vip}"},
        "a",
        Options(ledger=True),
    ),
    "unicast": (
        {"CONFIG_NAME": "fast", "VIRTUAL_IPS": "10.0.0.1", "UNICAST_PEERS": PEERS, "ADVERT_INT": "0.25",
         "PREEMPTION": "preempt", "ON_FAIL": "last-resort", **KEY},
        "10.9.0.3",
        Options((2, 4, 3)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOLDENS)
def test_a_whole_file_reads_as_it_is_kept(name: str) -> None:
    short, node, options = GOLDENS[name]
    assert render(short, node, options) == (GOLDEN / f"{name}.conf").read_text()


@pytest.mark.parametrize("case", CASES)
def test_no_file_has_a_priority_of_255_a_master_or_strict_mode(case: str) -> None:
    short, node, options = CASES[case]
    text = render(short, node, options)
    assert "priority 255" not in text
    assert not {"MASTER", "vrrp_strict", "strict_mode"} & set(text.split())


@pytest.mark.parametrize("case", CASES)
def test_lint_warns_of_nothing_in_a_rendered_file_but_what_was_asked_for(case: str) -> None:
    short, node, options = CASES[case]
    asked = {"HA224"} if float(short.get("ADVERT_INT", "1")) < 0.3 else {"HA240"} if case in UNCHECKED else set()
    found = Given(confs=(render(short, node, options),)).findings()
    assert {one.rule.code for one in found if one.rule.severity != "note"} == asked


def test_a_node_that_the_plan_does_not_have_gets_no_file() -> None:
    with pytest.raises(Invalid, match=r"^d is none of the plan's nodes and must not take part"):
        render({"NODES": "a,b"}, "d")


def test_where_nobody_names_the_nodes_each_ranks_itself() -> None:
    for node in ("a", "b"):
        assert f"    priority {hashed_priority(node, '10.0.0.1')}" in render({}, node)


def test_by_hash_a_named_node_has_its_own_priority_too() -> None:
    text = render({"NODES": "a,b"}, "b", placement="hash")
    assert f"    priority {hashed_priority('b', '10.0.0.1')}  # " in text


def test_names_and_ids_are_those_of_the_stock_image() -> None:
    environ = variables(
        CONFIG_NAME="ipf-ha", VIRTUAL_IPS="10.0.0.1-7", VIP_GROUPS="3", VRRP_ID_OFFSET="4", NETWORK_INTERFACE="eth0"
    )
    found = settings(environ)
    (plan,), _ = plan_all([found], {}, None)
    text = rendered(plan, found, "a")
    for one in configuration(environ).instances:
        lines = block(text, f"vrrp_instance {one.name} {{")
        assert f"    virtual_router_id {one.vrid}" in lines
        listed = [line.split("/")[0].strip() for line in lines if " dev eth0" in line]
        assert listed == [vip.address for vip in one.addresses]


def test_a_groups_first_vip_alone_is_advertised() -> None:
    text = render({"VIRTUAL_IPS": "fd00::1,10.0.0.1-2", "VIP_GROUPS": "1"})
    assert inside(text, "virtual_ipaddress") == ["fd00::1/128 dev eth0"]
    assert inside(text, "virtual_ipaddress_excluded") == [
        "10.0.0.1/32 dev eth0 label eth0:vip",
        "10.0.0.2/32 dev eth0 label eth0:vip",
    ]


def test_the_first_vip_stays_the_first_while_others_come_and_go() -> None:
    ledger: Ledger = {}
    firsts = []
    for vips in ("10.0.0.5-7", "10.0.0.1-3,10.0.0.5-7", "10.0.0.1,10.0.0.5"):
        found = settings(variables(VIRTUAL_IPS=vips, VIP_GROUPS="1", NETWORK_INTERFACE="eth0", NODES="a"))
        (plan,), ledger = plan_all([found], ledger, None)
        firsts.append(inside(rendered(plan, found, "a"), "virtual_ipaddress"))
    assert firsts == [["10.0.0.5/32 dev eth0 label eth0:vip"]] * 3


@pytest.mark.parametrize(("interface", "labelled"), [("enp0s31f6v7", True), ("enp0s31f6v70", False)])
def test_a_label_of_more_than_15_characters_is_left_out(interface: str, labelled: bool) -> None:
    assert ("label" in render({"NETWORK_INTERFACE": interface})) == labelled


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("nopreempt", ["nopreempt"]),
        ("preempt_delay 300", ["preempt_delay 300"]),
        ("preempt_delay 0.5", ["preempt_delay 0.5"]),
        ("preempt_delay 999.000001", ["preempt_delay 999.000001"]),
        ("preempt", []),
        ("preempt 300", ["preempt_delay 300"]),
        ("preempt_nodelay 300", []),
    ],
)
def test_preemption_is_what_was_meant_and_every_node_begins_as_backup(strategy: str, expected: list[str]) -> None:
    lines = [line.strip() for line in block(render({"PREEMPTION": strategy}), "vrrp_instance")]
    assert [line for line in lines if "preempt" in line] == expected
    assert "state BACKUP" in lines


def test_what_a_spelling_is_taken_for_is_said_in_the_file() -> None:
    assert "# ! OPENSHIFT_HA_PREEMPTION: 'preempt 300' is planned as preempt_delay 300" in render(
        {"PREEMPTION": "preempt 300"}
    )


def test_in_unicast_a_node_speaks_from_its_address_to_all_others() -> None:
    text = render({"UNICAST_PEERS": PEERS}, "10.9.0.2")
    lines = [line.strip() for line in block(text, "vrrp_instance")]
    assert {"unicast_src_ip 10.9.0.2", "check_unicast_src", "unicast_fault_no_peer"} <= set(lines)
    assert inside(text, "unicast_peer") == ["10.9.0.1", "10.9.0.3"]
    assert 'script "sh /etc/keepalive/hacheck tcp 10.9.0.2:80"' in text


def test_the_source_of_multicast_is_for_vips_of_its_family() -> None:
    text = render({"VIRTUAL_IPS": "10.0.0.1,fd00::1", "MULTICAST_SOURCE_IPADDRESS": "10.9.0.1"})
    assert "    mcast_src_ip 10.9.0.1" in block(text, "vrrp_instance OpenShift_IPFailover_VIP_1")
    assert not any("mcast" in line for line in block(text, "vrrp_instance OpenShift_IPFailover_VIP_2"))
    assert "# ! MULTICAST_SOURCE_IPADDRESS: it is not for fd00::1, which is of another family" in text


def test_vrrp_2_has_a_password_of_8_characters_and_vrrp_3_none() -> None:
    assert inside(render({"CONFIG_NAME": "ipf-ha-router"}), "authentication") == [
        "auth_type PASS",
        "auth_pass ipf-ha-r",
    ]
    assert "auth" not in "".join(block(render({"VRRP_VERSION": "3"}), "vrrp_instance"))
    assert "auth" not in "".join(block(render({"VIRTUAL_IPS": "fd00::1"}), "vrrp_instance"))


def test_a_password_from_a_file_is_in_the_instances_alone() -> None:
    text = render({"AUTH_PASS_FILE": "/etc/pass", "VIRTUAL_IPS": "10.0.0.1-2"}, options=Options(password="geheim12+3"))
    assert inside(text, "authentication") == ["auth_type PASS", "auth_pass geheim12"]
    assert text.count("geheim12") == 2
    assert "# ! OPENSHIFT_HA_AUTH_PASS_FILE: of a password 8 characters count" in text


def test_a_password_that_keepalived_would_read_otherwise_is_refused_without_showing_it() -> None:
    with pytest.raises(Invalid, match="the password has a blank, a quote or a sign") as caught:
        render({"AUTH_PASS_FILE": "/etc/pass"}, options=Options(password="my $ecret"))
    assert "ecret" not in str(caught.value).replace("secret", "")


@pytest.mark.parametrize("mode", ["receive-only", "permissive", "enforce"])
def test_adverts_are_signed_by_a_key_in_a_file(mode: str) -> None:
    text = render({**KEY, "AUTH_HMAC_MODE": mode}, options=NEWEST)
    assert inside(text, "auth_hmac") == ["key 1 file:/etc/keepalived/key", "active_key 1", f"mode {mode}"]
    assert "authentication" not in text
    assert read_text(text).findings == ()


def test_the_check_is_ours_at_the_watch_port_unless_somebody_gives_one() -> None:
    assert '    script "sh /etc/keepalive/hacheck tcp 127.0.0.1:80"' in render({})
    assert "    script \"sh /etc/keepalive/hacheck tcp '[fd01::1]:8080' --timeout 4.5\"" in render(
        {"MONITOR_PORT": "8080", "CHECK_INTERVAL": "5", "NODES": "fd01::1"}, "fd01::1"
    )
    assert '    script "sh /etc/keepalive/hacheck nodeport 32439"' in render({"MONITOR_PORT": "32439"})
    assert '    script "sh /etc/keepalive/hacheck nodeport 30000 --address 10.9.0.1 --timeout 0.5"' in render(
        {"MONITOR_PORT": "30000", "NODES": "10.9.0.1", "CHECK_INTERVAL": "1"}, "10.9.0.1"
    )
    assert "script" not in "".join(block(render({"MONITOR_PORT": "0"}), "vrrp_instance"))
    assert "vrrp_script" not in render({"MONITOR_PORT": "0"})


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("/etc/keepalive/mycheckscript.sh -x", "env /etc/keepalive/mycheckscript.sh -x"),
        ("/bin/bash -c '</dev/tcp/10.0.0.1/80'", "env /bin/bash -c '</dev/tcp/10.0.0.1/80'"),
        ("python3 /etc/keepalive/check.py", "env python3 /etc/keepalive/check.py"),
        ("sh /etc/keepalive/hacheck tcp {vip}:80", "sh /etc/keepalive/hacheck tcp 10.0.0.1:80"),
        ("/etc/keepalive/hacheck run a", "sh /etc/keepalive/hacheck run a"),
        ("/usr/local/bin/hacheck run a", "env /usr/local/bin/hacheck run a"),
        ("env LANG=C x", "env LANG=C x"),
        ("x 'it\\\\'s #1'", "env x 'it\\\\047s \\\\0431'"),
    ],
)
def test_a_command_is_started_by_what_stays_where_it_is(command: str, expected: str) -> None:
    text = render({"CHECK_SCRIPT": command, "NOTIFY_SCRIPT": command})
    assert f'    script "{expected}"' in text
    assert f'    notify "{expected}"' in text


def test_what_keepalived_makes_of_a_command_line_is_what_was_meant() -> None:
    (line,) = [
        one
        for one in render({"CHECK_SCRIPT": "x 'a  b' c\\\\\\\\d '#'"}).splitlines()
        if "script " in one and '"' in one
    ]
    assert split_command(split_command(line.strip())[1]) == ["env", "x", "a  b", "c\\d", "#"]


@many
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, max_size=5))
def test_any_words_are_read_back_as_they_were_written(words: list[str]) -> None:
    try:
        line = f'script "{written(tuple(words))}"'
    except ValueError:
        assert sum(map(len, words)) > 100
        return
    assert not re.search(r"[\x00-\x1f]", line)
    assert split_command(split_command(line)[1]) == words


def test_an_escape_ends_no_line() -> None:
    text = render({"CHECK_SCRIPT": r"x '\n}\nvrrp_instance y {\n'"})
    assert [one.name for one in read_text(text).instances] == ["OpenShift_IPFailover_VIP_1"]
    (line,) = [line for line in text.splitlines() if line.startswith("    script ")]
    assert line == r"""    script "env x '\\012}\\012vrrp_instance y {\\012'" """.rstrip()


def test_an_instance_tracks_the_checks_of_all_ranges_that_its_vips_are_of() -> None:
    text = render(
        {
            "VIRTUAL_IPS": "10.0.0.1-2, 10.1.0.1-2, 10.2.0.1",
            "VIP_GROUPS": "2",
            "CHECK_SCRIPT_2": "two",
            "CHECK_SCRIPT_3": "three",
        }
    )
    first, second = (inside(text, "track_script", f"vrrp_instance OpenShift_IPFailover_VIP_{n}") for n in (1, 2))
    assert first == ["chk_OpenShift_IPFailover", "chk_OpenShift_IPFailover_2"]
    assert second == ["chk_OpenShift_IPFailover_2", "chk_OpenShift_IPFailover_3"]
    assert '    script "env two"' in block(text, "vrrp_script chk_OpenShift_IPFailover_2 {")


def test_a_check_that_has_the_vip_in_it_is_one_for_each() -> None:
    text = render({"VIRTUAL_IPS": "10.0.0.1-2", "CHECK_SCRIPT": "x {vip}"})
    for vip in ("10.0.0.1", "10.0.0.2"):
        assert f'    script "env x {vip}"' in block(text, f"vrrp_script chk_OpenShift_IPFailover_{vip} {{")
    assert inside(text, "track_script", "vrrp_instance OpenShift_IPFailover_VIP_2") == [
        "chk_OpenShift_IPFailover_10.0.0.2"
    ]


def test_rise_fall_interval_and_timeout_are_those_that_are_given() -> None:
    found = block(
        render({"CHECK_INTERVAL": "9", "CHECK_TIMEOUT": "3", "CHECK_RISE": "2", "CHECK_FALL": "4"}), "vrrp_script"
    )
    assert [line.strip() for line in found[2:-1]] == ["interval 9", "timeout 3", "rise 2", "fall 4"]
    assert "    timeout 2" in block(render({}), "vrrp_script")


def test_a_failing_node_is_the_last_resort_below_all_that_are_well() -> None:
    for nodes, lowest in ((1, 254), (2, 234), (7, 158), (122, 133)):
        names = [f"n{number}" for number in range(nodes)]
        found = block(render({"ON_FAIL": "last-resort", "NODES": ",".join(names)}, "n0"), "vrrp_script")
        weight = 254 - lowest + 11
        assert f"    weight -{weight}" in found
        assert lowest - weight >= 1
    # By hash a priority is from 155 to 254.
    assert "    weight -110" in block(render({"ON_FAIL": "last-resort"}), "vrrp_script")
    assert not any("weight" in line for line in block(render({}), "vrrp_script"))


@pytest.mark.parametrize(("on_fail", "weight"), [("fault", 0), ("last-resort", -31)])
def test_a_track_file_stands_beside_the_check_and_says_no_until_the_agent_says_yes(on_fail: str, weight: int) -> None:
    text = render({"TRACK_FILE": "/run/hachecks/vip", "NODES": "a,b", "ON_FAIL": on_fail})
    assert block(text, "track_file") == [
        "track_file file_OpenShift_IPFailover {",
        '    file "/run/hachecks/vip"',
        f"    weight {weight}",
        "    init_file 1 overwrite",
        "}",
    ]
    assert inside(text, "track_file") == ["file_OpenShift_IPFailover"]
    assert inside(text, "track_script") == ["chk_OpenShift_IPFailover"]


def names_of(count: int) -> list[str]:
    return [f"n{number}" for number in range(count)]


def ranks_of(short: dict[str, str], placement: str | None = None) -> list[tuple[int, int, int]]:
    """Of each node of the first instance its priority, what a drain adds, and what a failing check adds."""
    plan, settings = planned({"DRAIN_FILE": "/run/drain", "ON_FAIL": "last-resort", **short}, placement)
    found = []
    for node in plan.nodes:
        read = read_text(rendered(plan, settings, node))
        (instance,) = read.instances
        (drain,) = instance.files
        script = next(line for line in block(rendered(plan, settings, node), "vrrp_script") if "weight" in line)
        assert instance.priority
        found.append((instance.priority, drain.adds(1), int(script.split()[1])))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("placement", [None, "hash"])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 7, 20, 33, 34, 50, 51, 83, 84])
def test_a_drained_node_ranks_below_the_healthy_and_above_the_failing(count: int, placement: str | None) -> None:
    """Whichever nodes are drained, and whichever fail."""
    ranks = ranks_of({"NODES": ",".join(names_of(count))}, placement)
    healthy = [priority for priority, _, _ in ranks]
    drained = [priority + drain for priority, drain, _ in ranks]
    failing = [priority + fail for priority, _, fail in ranks]
    # Keepalived takes 1 for what is less.
    both = [max(1, priority + drain + fail) for priority, drain, fail in ranks]
    assert min(healthy) > max(drained)
    assert min(drained) > max(failing)
    assert min(failing) > max(both)
    assert min(failing) >= 1
    assert max(fail for _, _, fail in ranks) < 0
    if placement is None:
        # All are different, and in the order of the nodes: of several drained ones the best has the VIP.
        for of_all in (healthy, drained, failing):
            assert of_all == sorted(set(of_all), reverse=True)
    else:
        assert drained == sorted(drained, reverse=True)


def test_a_drain_file_is_tracked_by_every_instance_and_outlives_a_restart() -> None:
    text = render({"DRAIN_FILE": "/var/lib/hacheck/drain", "NODES": "a,b", "VIRTUAL_IPS": "10.0.0.1-4"}, "a")
    assert block(text, "track_file") == [
        "track_file drain_OpenShift_IPFailover {",
        '    file "/var/lib/hacheck/drain"',
        "    weight -21",
        "    init_file 0",
        "}",
    ]
    instances = read_text(text).instances
    assert [(one.priority, one.files[0].weight) for one in instances if one.priority == 254] == [(254, -21)] * 2
    assert [(one.priority, one.files[0].weight) for one in instances if one.priority == 234] == [(234, -2)] * 2
    assert "weight" not in "".join(block(text, "vrrp_script"))


def test_a_drain_file_stands_beside_the_agents() -> None:
    text = render({"DRAIN_FILE": "/run/d", "TRACK_FILE": "/run/a", "NODES": "a,b"})
    assert inside(text, "track_file") == ["file_OpenShift_IPFailover", "drain_OpenShift_IPFailover weight -2"]


def test_without_a_drain_file_ranks_are_what_they_were() -> None:
    assert "drain" not in render({"NODES": "a,b,c", "ON_FAIL": "last-resort"})


def test_a_notify_command_may_have_the_vips_of_its_instance() -> None:
    text = render({"VIRTUAL_IPS": "10.0.0.1-2", "VIP_GROUPS": "1", "NOTIFY_SCRIPT": "sh /x {vip}"})
    assert '    notify "sh /x 10.0.0.1,10.0.0.2"' in text


def test_added_lines_are_in_each_instance_and_in_the_global_block() -> None:
    text = render(
        {
            "VIRTUAL_IPS": "10.0.0.1-2",
            "VERBATIM": "no_accept\nvirtual_rules\n{\nfrom 10.0.0.0/8 table 7\n}",
            "VERBATIM_GLOBAL": "vrrp_priority -5",
        }
    )
    assert block(text, "global_defs")[-2] == "    vrrp_priority -5"
    for number in (1, 2):
        found = block(text, f"vrrp_instance OpenShift_IPFailover_VIP_{number}")
        assert found[-6:-1] == [
            "    no_accept",
            "    virtual_rules",
            "    {",
            "        from 10.0.0.0/8 table 7",
            "    }",
        ]


def test_the_file_says_where_each_value_came_from() -> None:
    text = render({"CHECK_INTERVAL": "7", "CHECK_SCRIPT_1": "x"})
    assert "# OPENSHIFT_HA_CHECK_INTERVAL: 7 (environment)\n" in text
    assert "# OPENSHIFT_HA_CHECK_FALL: 1 (default)\n" in text
    assert "# OPENSHIFT_HA_CHECK_SCRIPT_1: x (environment)\n" in text


def test_a_comment_ends_with_its_line() -> None:
    text = render({"CHECK_SCRIPT": "x " + "\\\\" * 28})
    assert "\\\n" not in text
    assert all(len(line.encode()) < 1000 for line in render({"CHECK_SCRIPT": "é" * 200}).splitlines())


@pytest.mark.parametrize(
    ("short", "node", "complaint"),
    [
        ({"NETWORK_INTERFACE": ""}, "a", "OPENSHIFT_HA_NETWORK_INTERFACE: no interface is named"),
        ({"UNICAST_PEERS": PEERS, "NODES": "a,b,c"}, "a", "a: unicast needs the node's own address"),
        (
            {"UNICAST_PEERS": PEERS, "NODES": "a,b,c", "UNICAST_SOURCE_IPADDRESS": "10.9.0.4"},
            "a",
            "10.9.0.4, the address of a, is none of the peers",
        ),
        ({"UNICAST_PEERS": PEERS, "UNICAST_SOURCE_IPADDRESS": "10.9.0.1"}, "10.9.0.2", "10.9.0.1 is not the node"),
        ({"UNICAST_PEERS": "10.9.0.1"}, "10.9.0.1", "10.9.0.1 is the only peer"),
        ({"UNICAST_PEERS": "10.9.0.1,fd01::1"}, "10.9.0.1", "the peers are of both families"),
        ({"UNICAST_PEERS": PEERS, "VIRTUAL_IPS": "fd00::1"}, "10.9.0.1", "fd00::1 is IPv6 and the peers are IPv4"),
        ({"UNICAST_SOURCE_IPADDRESS": "10.9.0.1"}, "a", "there is no peer, so this would be multicast"),
        ({"ADVERT_INT": "0.1"}, "a", "VRRP 2 has whole seconds, not 0.1"),
        ({"ADVERT_INT": "41", "VRRP_VERSION": "3"}, "a", "41 s are too many for 10.0.0.1 in VRRP 3, limit 40.95"),
        ({"ADVERT_INT": "41", "VIRTUAL_IPS": "10.0.0.1,fd00::1"}, "a", "41 s are too many for fd00::1"),
        ({"AUTH_HMAC_MODE": "enforce"}, "a", "there is no key"),
        ({"AUTH_PASS_FILE": "/x", "VRRP_VERSION": "3"}, "a", "VRRP 3, which all VIPs have here, knows no password"),
        ({"ON_FAIL": "last-resort", "PREEMPTION": "nopreempt"}, "a", "under nopreempt a lower priority moves nothing"),
        (
            {"ON_FAIL": "last-resort", "NODES": ",".join(f"n{n}" for n in range(123))},
            "n0",
            "of 123 nodes the last cannot be lowered, limit 122",
        ),
        (
            {"DRAIN_FILE": "/run/d", "NODES": ",".join(f"n{n}" for n in range(128))},
            "n0",
            "OPENSHIFT_HA_DRAIN_FILE: of 128 nodes the last cannot be lowered, limit 127",
        ),
        (
            {"DRAIN_FILE": "/run/d", "ON_FAIL": "last-resort", "NODES": ",".join(f"n{n}" for n in range(85))},
            "n0",
            "OPENSHIFT_HA_ON_FAIL: of 85 nodes the last cannot be lowered, limit 84",
        ),
        ({"DRAIN_FILE": "/run/d", "TRACK_FILE": "/run/d"}, "a", "it is that of OPENSHIFT_HA_TRACK_FILE"),
        ({"ON_FAIL": "last-resort", "MONITOR_PORT": "0"}, "a", "there is no check that could fail"),
        ({"TRACK_FILE": "/run/a", "MONITOR_PORT": "0"}, "a", "10.0.0.1 has no check beside it"),
        (
            {"TRACK_FILE": "/run/a", "MONITOR_PORT": "0", "VIRTUAL_IPS": "10.0.0.1,10.0.0.2", "CHECK_SCRIPT_1": "x"},
            "a",
            "10.0.0.2 has no check beside it",
        ),
        ({"CHECK_SCRIPT_2": "x"}, "a", "OPENSHIFT_HA_CHECK_SCRIPT_2: there is no item 2"),
        ({"CHECK_TIMEOUT": "3"}, "a", "3 s are more than the interval, and before 2.3.3"),
        ({"CHECK_SCRIPT": "curl -sf http://x | grep ok"}, "a", "| is a shell's, and Keepalived starts none"),
        ({"CHECK_SCRIPT": "</dev/tcp/10.0.0.1/80"}, "a", "</dev/tcp/10.0.0.1/80 is a shell's"),
        ({"CHECK_SCRIPT": "x 'half a quote"}, "a", "is no command line; is a quote not closed?"),
        ({"CHECK_SCRIPT": "half an escape\\"}, "a", "is no command line"),
        ({"CHECK_SCRIPT": r"x a\0b"}, "a", "has an escape of a byte that no command line can have"),
        ({"CHECK_SCRIPT": r"x a\xe9b"}, "a", "has an escape of a byte"),
        ({"CHECK_SCRIPT": "A=B x"}, "a", "A=B would be no command to env"),
        ({"CHECK_SCRIPT": "-i x"}, "a", "-i would be no command to env"),
        ({}, "a\nb", "is no node; expected one name or address"),
        ({}, "a,b", "--node: 'a,b' is no node"),
        ({}, "", "is no node"),
        ({"NOTIFY_SCRIPT": "x " * 500}, "a", "OPENSHIFT_HA_NOTIFY_SCRIPT: the command has 1003 bytes, limit 900"),
        ({"VERBATIM": "no_accept\npriority 7"}, "a", "line 2: priority is written anyway; set OPENSHIFT_HA_PREFER"),
        ({"VERBATIM": "state MASTER"}, "a", "state is written anyway; leave it out"),
        ({"VERBATIM": "strict_mode on"}, "a", "strict_mode makes VIPs that answer to nobody"),
        ({"VERBATIM_GLOBAL": "vrrp_strict"}, "a", "vrrp_strict makes VIPs that answer to nobody"),
        ({"VERBATIM_GLOBAL": "router_id x"}, "a", "OPENSHIFT_HA_VERBATIM_GLOBAL: line 1: router_id is written anyway"),
        ({"VERBATIM": "no_acept"}, "a", "no_acept is no keyword of vrrp_instance; did you mean no_accept?"),
        ({"VERBATIM": "router_id x"}, "a", "router_id is written anyway"),
        ({"VERBATIM": "no_accept\n}"}, "a", "line 2: there is a } too many"),
        ({"VERBATIM": "no_accept }"}, "a", "no_accept } has a brace too many or too few"),
        ({"VERBATIM": "track_interface {\nother"}, "a", "a } is missing at the end"),
        ({"VERBATIM": "track_interface\nother\n}"}, "a", "line 2: other has a brace too many or too few"),
        ({"VERBATIM": "no_accept {\n}"}, "a", "no_accept { has a brace too many or too few"),
        ({"VERBATIM": "virtual_rules{"}, "a", "virtual_rules{ is no keyword"),
        ({"VERBATIM": 'notify_fault "x'}, "a", 'a double quote of notify_fault "x is not closed'),
        ({"VERBATIM": "no_accept \\"}, "a", "reaches beyond its place"),
        ({"VERBATIM": "@other no_accept"}, "a", "reaches beyond its place"),
        ({"VERBATIM": "debug $X"}, "a", "reaches beyond its place"),
        ({"VERBATIM": "include /etc/shadow"}, "a", "reaches beyond its place"),
        ({"VERBATIM": f"notify_fault {'x' * 900}"}, "a", "it has more than 900 bytes"),
        ({"VERBATIM": "native_ipv6"}, "a", "native_ipv6 cannot be added, since the VIPs tell the family"),
        ({"VERBATIM": "track_process {\nx\n}"}, "a", "track_process cannot be added"),
        ({"VERBATIM": "unicast_ttl 64"}, "a", "unicast_ttl is not for multicast"),
        ({"VERBATIM": "mcast_dst_ip 224.0.0.9", "UNICAST_PEERS": PEERS}, "10.9.0.1", "mcast_dst_ip is not for unicast"),
        ({"VERBATIM": "vmac_xmit_base"}, "a", "use_vmac and vmac_xmit_base belong together"),
        ({"VERBATIM": "use_vmac", "UNICAST_PEERS": PEERS}, "10.9.0.1", "use_vmac and vmac_xmit_base belong together"),
        ({"VERBATIM": "track_interface {\neth0 weight 5\n}"}, "a", "line 2: eth0 is tracked anyway"),
        ({"VERBATIM": "track_interface { eth0 }"}, "a", "line 1: eth0 is tracked anyway"),
        ({"VERBATIM_GLOBAL": "include_check\nincluder /etc/shadow"}, "a", "line 2: includer /etc/shadow reaches"),
        ({"VERBATIM": "timer_expired_backup"}, "a", "timer_expired_backup is written anyway"),
        ({"VERBATIM": "no_virtual_ipaddress"}, "a", "2.2.7 has no no_virtual_ipaddress, which came with 2.2.8"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_refused_in_one_line(short: dict[str, str], node: str, complaint: str) -> None:
    with pytest.raises(Invalid) as caught:
        render(short, node)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_is_refused_where_it_would_part_the_nodes() -> None:
    with pytest.raises(Invalid, match=r"verify since 2\.4\.2; this is for 2\.4\.1"):
        render(KEY, options=Options((2, 4, 1)))
    with pytest.raises(Invalid, match="in VRRP 2 a key takes the place of the password"):
        render({**KEY, "VRRP_VERSION": "2"}, options=NEWEST)


@pytest.mark.parametrize(
    ("short", "remark"),
    [
        ({"VRRP_VERSION": "3"}, "OPENSHIFT_HA_VRRP_VERSION: nodes that speak VRRP 2"),
        ({"ADVERT_INT": "3"}, "OPENSHIFT_HA_ADVERT_INT: in VRRP 2 nodes with another interval"),
        ({"ADMIN_EMAILS": "a@b"}, "OPENSHIFT_HA_ADMIN_EMAILS: nobody is mailed"),
        ({"IPTABLES_CHAIN": "INPUT"}, "OPENSHIFT_HA_IPTABLES_CHAIN: this file makes no firewall rule"),
        ({"NFTABLES_RULE": "yes"}, "OPENSHIFT_HA_NFTABLES_RULE: this file makes no firewall rule"),
        ({"SELECTOR": "a=b"}, "OPENSHIFT_HA_SELECTOR: this file chooses no nodes"),
        ({"VIRTUAL_IPS": "10.0.0.1-2", "VIP_GROUPS": "1"}, "OPENSHIFT_HA_VIP_GROUPS: the first VIP of each group"),
        ({"TRACK_FILE": "/run/a"}, "OPENSHIFT_HA_TRACK_FILE: its directory must be there before Keepalived starts"),
        ({"DRAIN_FILE": "/run/a"}, "OPENSHIFT_HA_DRAIN_FILE: its directory must be there before Keepalived starts"),
        ({"VERBATIM": "no_accept"}, "OPENSHIFT_HA_VERBATIM: the values in these lines are not judged"),
        ({"VERBATIM_GLOBAL": "vrrp_priority 1"}, "OPENSHIFT_HA_VERBATIM_GLOBAL: the values in these lines"),
    ],
)
def test_what_a_reader_should_know_stands_in_the_file_where_it_is_so(short: dict[str, str], remark: str) -> None:
    assert f"\n# ! {remark}" in render(short)
    assert remark not in render({})


def test_of_multicast_and_unicast_the_file_says_which_counts() -> None:
    text = render({"UNICAST_PEERS": PEERS, "MULTICAST_SOURCE_IPADDRESS": "10.9.0.1"}, "10.9.0.1")
    assert "# ! MULTICAST_SOURCE_IPADDRESS: it is for multicast, and there are unicast peers" in text
    assert "mcast_src_ip" not in text


@many
@given(any_environments)
def test_any_text_of_any_variable_is_rendered_or_refused(environ: dict[str, str]) -> None:
    try:
        found = settings({"OPENSHIFT_HA_NETWORK_INTERFACE": "eth0", "OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1", **environ})
        (plan,), _ = plan_all([found], {}, None)
        text = rendered(plan, found, "a")
    except Invalid as error:
        refusal = str(error)
    else:
        refusal = ""
        assert text.endswith("}\n")
    assert "\n" not in refusal


def test_a_node_is_named_as_the_plan_has_it() -> None:
    assert render({"NODES": "fd01::1,fd01::2"}, "FD01:0::1") == render({"NODES": "fd01::1,fd01::2"}, "fd01::1")


def test_the_plan_of_a_file_does_not_depend_on_the_order_of_variables() -> None:
    short = {"VIRTUAL_IPS": "10.0.0.1-3", "NODES": "a,b", "CHECK_FALL": "2"}
    assert render(short) == render(dict(reversed(short.items())))
    assert planned(short) == planned(short)
