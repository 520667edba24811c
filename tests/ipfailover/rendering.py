"""Files as the tests render them, and the environments that Keepalived is to take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.render import Options, rendered
from hachecks.ipfailover.variable import NEWEST
from tests.ipfailover.given import environments, good_lists, node_lists, preemptions, settings, variables

if TYPE_CHECKING:
    from hachecks.ipfailover.plan import Plan
    from hachecks.ipfailover.settings import Settings

DIRECTORY = "/run"
"""A directory that every machine has, for track files."""
PEERS = "10.9.0.1,10.9.0.2,10.9.0.3"


def planned(short: dict[str, str], placement: str | None = None) -> tuple[Plan, Settings]:
    """The plan and settings of variables by their names without OPENSHIFT_HA_, on eth0 unless they say otherwise."""
    whole = {"NETWORK_INTERFACE": "eth0", "VIRTUAL_IPS": "10.0.0.1", **short}
    sources = {name: whole.pop(name) for name in list(whole) if name.endswith("_IPADDRESS")}
    found = settings({**variables(**whole), **sources}, NEWEST)
    (plan,), _ = plan_all([found], {}, placement)
    return plan, found


def render(short: dict[str, str], node: str = "a", options: Options | None = None, placement: str | None = None) -> str:
    """The file of a node."""
    plan, found = planned(short, placement)
    return rendered(plan, found, node, options or Options())


def block(text: str, begin: str) -> list[str]:
    """The lines of a file's block, from one that begins so to the brace that ends it."""
    lines = iter(text.splitlines())
    found = [next(line for line in lines if line.startswith(begin))]
    for line in lines:
        found.append(line)
        if line == "}":
            break
    return found


MANY_IPV6 = "fd00::1-64"
CASES: dict[str, tuple[dict[str, str], str, Options]] = {
    "one VIP, nobody named": ({}, "a", Options()),
    "four nodes and seven VIPs": ({"VIRTUAL_IPS": "10.0.0.1-7", "NODES": "a,b,c,d"}, "c", Options()),
    "255 VIPs": ({"VIRTUAL_IPS": "10.0.0.1-255", "VRRP_ID_OFFSET": "0", "NODES": "a,b,c"}, "b", Options()),
    "IPv6": ({"VIRTUAL_IPS": "fd00::1-5", "NODES": "a,b"}, "a", Options()),
    "100 IPv6 VIPs in a group": ({"VIRTUAL_IPS": MANY_IPV6, "VIP_GROUPS": "1", "NODES": "a,b"}, "a", Options()),
    "254 VIPs in 3 groups": ({"VIRTUAL_IPS": "10.0.0.1-254", "VIP_GROUPS": "3", "NODES": "a,b"}, "a", Options()),
    "both families in a group": ({"VIRTUAL_IPS": "10.0.0.1,fd00::1", "VIP_GROUPS": "1"}, "a", Options()),
    "both families": ({"VIRTUAL_IPS": "10.0.0.1-2,fd00::1-2", "NODES": "a,b"}, "a", Options()),
    "unicast": ({"UNICAST_PEERS": PEERS}, "10.9.0.2", Options()),
    "unicast of nodes by name": (
        {"UNICAST_PEERS": PEERS, "NODES": "a,b,c", "UNICAST_SOURCE_IPADDRESS": "10.9.0.3"},
        "a",
        Options(),
    ),
    "unicast of IPv6": ({"UNICAST_PEERS": "fd01::1,fd01::2", "VIRTUAL_IPS": "fd00::1-3"}, "fd01::1", Options()),
    "multicast from an address": ({"MULTICAST_SOURCE_IPADDRESS": "10.9.0.1"}, "a", Options()),
    "VRRP 3": ({"VRRP_VERSION": "3", "ADVERT_INT": "0.1", "NODES": "a,b"}, "a", Options()),
    "VRRP 3, slow": ({"VRRP_VERSION": "3", "ADVERT_INT": "40.95"}, "a", Options()),
    "VRRP 3, fast": ({"VRRP_VERSION": "3", "ADVERT_INT": "0.01"}, "a", Options()),
    "VRRP 2, slow": ({"ADVERT_INT": "255"}, "a", Options()),
    "IPv6, fast": ({"VIRTUAL_IPS": "fd00::1", "ADVERT_INT": "0.25"}, "a", Options()),
    "a password of one's own": ({"AUTH_PASS_FILE": "/etc/pass"}, "a", Options(password="s3cret-and-long")),
    "nopreempt": ({"PREEMPTION": "nopreempt", "NODES": "a,b"}, "a", Options()),
    "immediate preemption": ({"PREEMPTION": "preempt", "NODES": "a,b"}, "a", Options()),
    "preemption misspelt": ({"PREEMPTION": "preempt_nodelay 300"}, "a", Options()),
    "a delay of half a second": ({"PREEMPTION": "preempt_delay 0.5"}, "a", Options()),
    "pins": (
        {"VIRTUAL_IPS": "10.0.0.1-6", "NODES": "a,b,c", "PREFER": "10.0.0.1=c,b", "APART": "10.0.0.2,10.0.0.3",
         "TOGETHER": "10.0.0.4,10.0.0.5"},
        "b",
        Options(),
    ),
    "a check of one's own": ({"CHECK_SCRIPT": "/etc/keepalive/mycheckscript.sh"}, "a", Options()),
    "a check with every sign": ({"CHECK_SCRIPT": r"sh -c 'echo $0 #!{}~<> \\ é; exit 1' x"}, "a", Options()),
    "a check per VIP": (
        {"CHECK_SCRIPT": "sh /etc/keepalive/hacheck tcp {vip}:443", "VIRTUAL_IPS": "10.0.0.1-3,fd00::1"},
        "a",
        Options(),
    ),
    "a check per range": (
        {"CHECK_SCRIPT_2": "curl -sf http://{vip}/", "CHECK_SCRIPT_3": "/bin/true", "VIP_GROUPS": "2",
         "VIRTUAL_IPS": "10.0.0.1-3,10.1.0.1-2,10.2.0.0/30"},
        "a",
        Options(),
    ),
    "no check": ({"MONITOR_PORT": "0"}, "a", Options()),
    "a nodePort": ({"MONITOR_PORT": "32439"}, "a", Options()),
    "a slow check": (
        {"CHECK_INTERVAL": "10", "CHECK_TIMEOUT": "5", "CHECK_RISE": "2", "CHECK_FALL": "3"},
        "a",
        Options(),
    ),
    "the last resort": (
        {"ON_FAIL": "last-resort", "NODES": ",".join(f"n{n}" for n in range(122)), "PREEMPTION": "preempt"},
        "n7",
        Options(),
    ),
    "the last resort, nobody named": ({"ON_FAIL": "last-resort", "TRACK_FILE": f"{DIRECTORY}/vip"}, "a", Options()),
    "a track file": ({"TRACK_FILE": f"{DIRECTORY}/vip", "NODES": "a,b"}, "a", Options()),
    "a drain file": ({"DRAIN_FILE": f"{DIRECTORY}/drain", "NODES": "a,b,c"}, "b", Options()),
    "a drain file under nopreempt": (
        {"DRAIN_FILE": f"{DIRECTORY}/drain", "PREEMPTION": "nopreempt", "VIRTUAL_IPS": "10.0.0.1-3"},
        "a",
        Options(),
    ),
    "a drain file, and nothing that is checked": (
        {"DRAIN_FILE": f"{DIRECTORY}/drain", "MONITOR_PORT": "0"}, "a", Options()
    ),
    "a drain file beside the last resort": (
        {"DRAIN_FILE": f"{DIRECTORY}/drain", "ON_FAIL": "last-resort", "TRACK_FILE": f"{DIRECTORY}/vip",
         "NODES": ",".join(f"n{n}" for n in range(84))},
        "n7",
        Options(),
    ),
    "notify": ({"NOTIFY_SCRIPT": "sh /etc/keepalive/hacheck notify"}, "a", Options()),
    "notify by a script": ({"NOTIFY_SCRIPT": "/etc/keepalive/notify.sh 'x y' {vip}"}, "a", Options()),
    "verbatim": (
        {"VERBATIM": "garp_master_delay 3 # seconds\n\n# the uplink\ntrack_interface\n{\n  other\n}\nno_accept",
         "VERBATIM_GLOBAL": 'vrrp_priority -5\nnotification_email {\n  "root@localhost"\n}'},
        "a",
        Options(),
    ),
    "verbatim in unicast": (
        {"UNICAST_PEERS": PEERS, "VERBATIM": "unicast_ttl 64\nold_unicast_checksum\nuse_vmac\nvmac_xmit_base"},
        "10.9.0.1",
        Options(),
    ),
    "verbatim in multicast": ({"VERBATIM": "use_vmac\nmcast_dst_ip 224.0.0.19\naccept"}, "a", Options()),
    "an interface with a long name": ({"NETWORK_INTERFACE": "eth0-is-long-ok"}, "a", Options()),
    "an interface that is not there": ({"NETWORK_INTERFACE": "br-ex"}, "a", Options()),
    "a name with every sign": ({"CONFIG_NAME": "ipf-ha.router_1"}, "a", Options()),
}  # fmt: skip
"""Environments by what they show: the variables, the node, and the options."""


def usually(good: st.SearchStrategy[str], bad: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A bad one of sixteen, and none where hypothesis looks for the simplest example."""
    return st.integers(0, 15).flatmap(lambda chosen: bad if chosen == 11 else good)


durations = st.integers(1, 60).map(str)
commands = usually(
    st.sampled_from(
        ["/etc/keepalive/mycheckscript.sh", "sh /etc/keepalive/hacheck tcp {vip}:80", "python3 /x.py 'a b'", "é ü",
         "curl http://{vip}/?a=b&c", "env A=B c", r"x '\n}\t\\n'", r"sh -c 'test \# -a $X'"]
    ),
    st.sampled_from(
        ["half 'a quote", "half an escape \\", "<//dev/tcp/x", "a | b", "A=B c", "x" * 1200, "''", 'a "quote"']
    ),
)  # fmt: skip
verbatims = usually(
    st.lists(
        st.sampled_from(
            ["garp_master_delay 3", "track_interface {\nother\n}", "# {", "", "garp_master_repeat 4",
             "virtual_rules { from 10.0.0.0/8 table 7 preference 77 }",
             "notify_stop \"env sh -c 'a'\" # }",
             "down_timer_adverts 4"]
        ),
        max_size=4,
        unique=True,
    ).map("\n".join),
    st.lists(
        st.sampled_from(
            ["track_interface {", "other", "}", "{", "priority 1", "strict_mode on", "notify_fault \"x", "@a accept",
             "garp_master_repeat 4 \\", "include /etc/passwd", "no_such_word", "debug ${_RANDOM}", "{ }", "} {", '"{"']
        ),
        max_size=4,
    ).map("\n".join),
)  # fmt: skip
sound_environments = st.fixed_dictionaries(
    {"OPENSHIFT_HA_VIRTUAL_IPS": good_lists, "OPENSHIFT_HA_VIP_GROUPS": st.integers(0, 9).map(str)},
    optional={
        "OPENSHIFT_HA_VRRP_ID_OFFSET": st.integers(0, 200).map(str),
        "OPENSHIFT_HA_NODES": node_lists.map(",".join),
        "OPENSHIFT_HA_PREEMPTION": preemptions,
    },
)
rendered_environments = st.builds(
    lambda plain, more: {**plain, **more},
    st.one_of(sound_environments, sound_environments, environments),
    st.fixed_dictionaries(
        {
            "OPENSHIFT_HA_NETWORK_INTERFACE": usually(
                st.just("eth0"), st.sampled_from(["", "br-ex", "eth0.7", "wlp0s20f3vlan7"])
            )
        },
        optional={
            "OPENSHIFT_HA_VRRP_VERSION": usually(st.sampled_from("23"), st.sampled_from(["1", "v3", "4"])),
            "OPENSHIFT_HA_ADVERT_INT": usually(
                st.sampled_from(["1", "1", "3", "0.1"]), st.sampled_from(["0", "0.001", "41", "255", "256", "1e2"])
            ),
            "OPENSHIFT_HA_CHECK_SCRIPT": commands,
            "OPENSHIFT_HA_CHECK_SCRIPT_1": commands,
            "OPENSHIFT_HA_CHECK_SCRIPT_2": commands,
            "OPENSHIFT_HA_NOTIFY_SCRIPT": commands,
            "OPENSHIFT_HA_MONITOR_PORT": usually(st.sampled_from(["0", "80", "30080", "65535"]), durations),
            "OPENSHIFT_HA_CHECK_INTERVAL": usually(durations, st.sampled_from(["0", "86401"])),
            "OPENSHIFT_HA_CHECK_TIMEOUT": usually(st.just("1"), durations),
            "OPENSHIFT_HA_CHECK_RISE": durations,
            "OPENSHIFT_HA_CHECK_FALL": durations,
            "OPENSHIFT_HA_ON_FAIL": usually(st.sampled_from(["fault", "last-resort"]), st.just("shrug")),
            "OPENSHIFT_HA_TRACK_FILE": usually(st.just(f"{DIRECTORY}/vip"), st.sampled_from(["x", '/"', "/a b"])),
            "OPENSHIFT_HA_DRAIN_FILE": usually(st.just(f"{DIRECTORY}/drain"), st.just(f"{DIRECTORY}/vip")),
            "OPENSHIFT_HA_UNICAST_PEERS": usually(
                st.just(PEERS), st.sampled_from(["10.9.0.1", "10.9.0.1,fd01::1", "fd01::1,fd01::2"])
            ),
            "OPENSHIFT_HA_CONFIG_NAME": usually(st.sampled_from(["ipf-ha-router", "a.b", "x" * 63]), st.just("a b")),
            "UNICAST_SOURCE_IPADDRESS": usually(st.sampled_from(["10.9.0.1", "fd01::1"]), st.just("10.9.0.9")),
            "MULTICAST_SOURCE_IPADDRESS": st.sampled_from(["10.9.0.1", "fd01::1"]),
            "OPENSHIFT_HA_VERBATIM": verbatims,
        },
    ),
)  # fmt: skip
"""Environments as people get them wrong, of all that a file is made of."""
