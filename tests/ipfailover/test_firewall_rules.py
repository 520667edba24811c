"""What is read from the rules of a firewall about an advert is what the kernel does with it, or not known."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.ipfailover.pod.firewall.model import ACCEPT, Chain, Drop, Rule, Walk
from hachecks.ipfailover.pod.firewall.packet import Packet
from hachecks.ipfailover.pod.firewall.passages import Passage
from hachecks.ipfailover.pod.firewall.ruleset import _chains
from hachecks.ipfailover.pod.firewall.saved import read, words_of
from tests.cli import ROOT
from tests.failover.namespace import namespace
from tests.failover.requirements import missing_command

if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = [
    pytest.mark.failover,
    pytest.mark.skipif(bool(missing_command("ip", "nsenter", "setpriv", "unshare")), reason="needs root's namespaces"),
]

TRY = r"""
import json, os, select, socket, struct, subprocess, sys
from hachecks.ipfailover.pod.firewall.drops import Drops
from hachecks.ipfailover.pod.firewall.passages import GROUPS, Passage
# What one processor sends it takes in as well, in that order: what has not come before the last has been dropped.
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
LAST = bytes.fromhex("ffffffffffff02000000000188b5") + b"the last" * 8
def member(family, group, interface):
    index = socket.if_nametoindex(interface)
    if family == 4:
        return struct.pack("=4s4si", socket.inet_aton(group), bytes(4), index)
    return struct.pack("=16sI", socket.inet_pton(socket.AF_INET6, group), index)
def sent(family, group, interface):
    with socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_RAW, 112) as out:
        if family == 4:
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, member(family, group, interface))
        else:
            out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex(interface))
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
            wire.bind((("p0" if interface == "l0" else "l0"), 3))
            try:
                out.sendto(b"advert" * 4, (group, 0))
            except OSError:  # which one, depends on where
                return False
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as last:
                last.sendto(LAST, (interface, 0))
            frames = []  # there may be others
            while not frames or LAST not in frames[-1]:
                assert select.select([wire], [], [], 30)[0]
                frames.append(wire.recv(200))
        return any(b"advert" in frame for frame in frames)
def advert(family, group):
    with socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_RAW, 112) as back:
        back.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"l0")
        if family == 4:
            back.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member(family, group, "l0"))
        else:
            back.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member(family, group, "l0"))
        if not sent(family, group, "l0"):
            return "output"
        while select.select([back], [], [], 0)[0]:  # what the kernel gives back of it
            back.recv(100)
        assert sent(family, group, "p0")
        return "" if select.select([back], [], [], 0)[0] else "input"
found = {}
for name, commands in json.loads(sys.argv[1]).items():
    subprocess.run(["sh", "-c", sys.argv[2]], check=True)
    subprocess.run(["sh", "-ec", commands], check=True)
    for family, group in GROUPS.items():
        passages = [Passage(family, incoming, 112, destination=group) for incoming in (False, True)]
        told = Drops(passages, "l0").found
        told = [["input" if one.advert.incoming else "output", one.certain, one.place] for one in told]
        found[f"{name} {family}"] = [advert(family, group), told]
print(json.dumps(found))
"""
FLUSH = """
nft flush ruleset
for ip in ip ip6; do
    for table in $(cat /proc/net/${ip}_tables_names); do
        ${ip}tables-legacy -t $table -F; ${ip}tables-legacy -t $table -X
        for chain in PREROUTING INPUT OUTPUT POSTROUTING; do
            ${ip}tables-legacy -t $table -P $chain ACCEPT 2>/dev/null || true
        done
    done
done"""
IN, OUT = "chain i { type filter hook input priority 0;", "chain o { type filter hook output priority 0;"


def nft(*chains: str) -> str:
    return f"nft 'table inet t {{ {'; '.join(chains)}; }}'"


RAW = "chain p { type filter hook prerouting priority -300;"
DEVICE = "nft 'table netdev t {{ chain d {{ type filter hook {} device {} priority 0; {}; }}; }}'"
OTHERS = "nft 'table ip filter {{ {}; }}'"
RULESETS = {
    "none": "true",
    "policy": nft(f"{IN} policy drop; }}"),
    "policy, let in": nft(f"{IN} policy drop; ip protocol 112 accept; ip6 nexthdr vrrp accept; }}"),
    "another protocol": nft(f"{IN} tcp dport 22 drop; udp dport {{ 1, 2 }} drop; icmp type echo-request drop; }}"),
    "one of several": nft(f"{IN} meta l4proto {{ tcp, vrrp }} counter drop; }}"),
    "not that": nft(f'{IN} meta l4proto != 112 accept; log prefix "x" drop; }}'),
    "family": nft(f"{IN} meta nfproto ipv6 drop; }}"),
    "groups": nft(f"{IN} ip daddr 224.0.0.0/24 drop; ip6 daddr ff02::/16 reject; }}"),
    "other groups": nft(f"{IN} ip daddr {{ 224.0.0.5, 224.0.0.6 }} drop; ip6 daddr != ff02::12 drop; }}"),
    "by state": nft(f"{IN} policy drop; ct state established,related accept; ct state invalid drop; }}"),
    "new ones": nft(f"{IN} policy drop; ct state new accept; }}"),
    "state map": nft(f"{IN} ct state vmap {{ established : accept, new : jump n }}; }}; chain n {{ drop; }}"),
    "interface": nft(f'{IN} iifname "eth*" drop; iifname != "l0" drop; }}'),
    "this interface": nft(f'{IN} iifname {{ "eth0", "l*" }} drop; }}'),
    "jump and return": nft("chain s { meta l4proto 112 return; drop; }", f"{IN} policy drop; jump s; accept; }}"),
    "goto": nft("chain s { tcp dport 1 accept; }", f"{IN} policy drop; goto s; accept; }}"),
    "jump of another": nft("chain s { drop; }", f"{IN} tcp dport 1 jump s; meta l4proto 112 jump s; }}"),
    "packet type": nft(f"{IN} fib daddr type multicast drop; }}"),
    "out": nft(f"{OUT} meta l4proto 112 drop; }}"),
    "out, reject": nft(f'{OUT} oifname "l0" reject; }}'),
    "before": nft("chain p { type filter hook prerouting priority -300; meta l4proto vrrp drop; }"),
    "after routing": nft("chain p { type filter hook postrouting priority 300; ip protocol 112 drop; }"),
    "by a chain for addresses": nft("chain p { type nat hook prerouting priority -100; meta l4proto 112 drop; }"),
    "not tracked": nft(f"{RAW} meta l4proto 112 notrack; }}", f"{IN} ct state new drop; }}"),
    "not tracked, dropped": nft(f"{RAW} notrack; }}", f"{IN} policy drop; ct state new accept; }}"),
    "others not tracked": nft(f"{RAW} udp dport 53 notrack; }}", f"{IN} ct state new drop; }}"),
    "at the device": DEVICE.format("ingress", "l0", "ip protocol 112 drop"),
    "at another device": DEVICE.format("ingress", "p0", "drop"),
    "out, at the device": DEVICE.format("egress", "l0", "meta protocol ip6 drop"),
    "at the device, let in": DEVICE.format("ingress", "l0", "ether type { arp, ip, ip6 } accept; drop"),
    "at the device, by inet": nft("chain d { type filter hook ingress device l0 priority 0; meta l4proto 112 drop; }"),
    "two tables": f"{nft(f'{IN} accept; }}')}; nft 'table ip u {{ {IN} policy drop; }}; }}'",
    "limited": nft(f"{IN} limit rate 1000/second accept; drop; }}"),
    "a named set": f"{nft('set m { type inet_proto; elements = { 112 } }', f'{IN} meta l4proto @m drop; }}')}",
    "a mark": nft(f"{IN} meta mark 0 accept; drop; }}"),
    "iptables": "iptables-nft -P INPUT DROP; ip6tables-nft -A INPUT -p vrrp -j REJECT",
    "iptables, let in": "iptables-nft -P INPUT DROP; iptables-nft -A INPUT -d 224.0.0.18 -p 112 -j ACCEPT",
    "iptables, chains": "iptables-nft -N A; iptables-nft -A A -p tcp -j DROP; iptables-nft -A A ! -p udp -j DROP;"
    "iptables-nft -A INPUT -j A",
    "iptables, states": "iptables-nft -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; "
    "iptables-nft -A INPUT -m comment --comment 'all the rest' -j DROP",
    "iptables, interfaces": "iptables-nft -A INPUT -i eth+ -j DROP; iptables-nft -A INPUT ! -i l+ -j DROP;"
    "iptables-nft -A OUTPUT -o l0 -m addrtype --dst-type MULTICAST -j DROP",
    "iptables, marks": "iptables-nft -A INPUT -m mark --mark 0 -j ACCEPT; iptables-nft -A INPUT -j DROP",
    "raw": "iptables-nft -t raw -A PREROUTING -p 112 -j DROP; ip6tables-nft -t raw -P OUTPUT DROP",
    "mangle": "iptables-nft -t mangle -A INPUT -p 112 -j DROP; ip6tables-nft -t mangle -A POSTROUTING -p 112 -j DROP",
    "mangle, before routing": "iptables-nft -t mangle -P PREROUTING DROP; ip6tables-nft -t mangle -A OUTPUT -j DROP",
    "mangle, another": "iptables-nft -t mangle -A INPUT -p tcp -j DROP; iptables-nft -t mangle -A FORWARD -j DROP",
    "security": "iptables-nft -t security -A INPUT -p vrrp -j DROP; ip6tables-nft -t security -A OUTPUT -j DROP",
    "let in once, not twice": "iptables-nft -t raw -A PREROUTING -j ACCEPT; iptables-nft -P INPUT DROP",
    "let in by raw": "iptables-nft -t raw -P PREROUTING DROP; iptables-nft -t raw -I PREROUTING 1 -p 112 -j ACCEPT",
    "raw, not tracked": "iptables-nft -t raw -A PREROUTING -p 112 -j CT --notrack;"
    "iptables-nft -A INPUT -m conntrack --ctstate NEW -j DROP",
    "raw, others not tracked": "iptables-nft -t raw -A PREROUTING -p udp -j CT --notrack;"
    "iptables-nft -A INPUT -m conntrack --ctstate NEW -j DROP",
    "a table of iptables' name": OTHERS.format("chain input { type filter hook input priority 0; policy drop; }"),
    "a chain of iptables' name": OTHERS.format("chain INPUT { type filter hook input priority 9; policy drop; }"),
    "a set in such a table": OTHERS.format(
        "set s { type inet_proto; elements = { 6 }; }; "
        "chain INPUT { type filter hook input priority 0; policy accept; ip protocol @s drop; }"
    ),
    "a map in such a table": OTHERS.format(
        "chain INPUT { type filter hook input priority 0; policy accept; ip protocol vmap { 112 : drop }; }"
    ),
    "a match in such a table": OTHERS.format(
        "chain INPUT { type filter hook input priority 0; policy accept; ip ttl 3 drop; ip length > 9000 drop; }"
    ),
    "legacy raw": "iptables-legacy -t raw -A PREROUTING -j DROP; ip6tables-legacy -t raw -A OUTPUT -p 112 -j DROP",
    "legacy mangle": "iptables-legacy -t mangle -P POSTROUTING DROP; ip6tables-legacy -t mangle -A INPUT -j DROP",
    "legacy security": "iptables-legacy -t security -A OUTPUT -j DROP; ip6tables-legacy -t security -P INPUT DROP",
    "legacy": "iptables-legacy -A INPUT -s 10.0.0.0/8 -p 112 -j ACCEPT; iptables-legacy -P INPUT DROP",
    "legacy, out": "iptables-legacy -A OUTPUT -m pkttype --pkt-type multicast -j ACCEPT;iptables-legacy -P OUTPUT DROP",
}
"""Rules that a host may have, of both programs."""
SETUP = """
ip link add l0 type veth peer name p0
sysctl --quiet --write net.ipv4.conf.l0.accept_local=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.l0.rp_filter=0
ip address add 10.9.0.1/24 dev l0; ip address add 10.9.0.2/24 dev p0
ip address add fd09::1/64 dev l0 nodad; ip address add fd09::2/64 dev p0 nodad
ip address add fe80::1/64 dev l0 nodad; ip address add fe80::2/64 dev p0 nodad
ip link set l0 up; ip link set p0 up
"""
UNKNOWN = {
    *("at the device", "at another device", "out, at the device", "at the device, let in", "at the device, by inet"),
    *("not tracked", "not tracked, dropped", "raw, not tracked", "a set in such a table", "a match in such a table"),
    "by a chain for addresses",
    *("limited", "a named set", "a mark", "iptables, marks", "legacy", "legacy, out"),
}
"""Those by which more is asked than is known of a packet."""


@pytest.fixture(scope="module")
def tried() -> Iterator[dict[str, tuple[str, list[tuple[str, bool, str]]]]]:
    """For each ruleset and family, where the kernel dropped an advert, and where it was read that it would."""
    with namespace(SETUP) as node:
        words = ("env", f"PYTHONPATH={ROOT}", sys.executable, "-c", TRY, json.dumps(RULESETS), FLUSH)
        yield json.loads(node.must(*words))


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("name", RULESETS)
def test_where_an_advert_is_dropped_is_read_from_the_rules(
    tried: dict[str, tuple[str, list[tuple[str, bool, str]]]], name: str, family: int
) -> None:
    fact, told = tried[f"{name} {family}"]
    certain = [hook for hook, sure, _ in told if sure]
    if name in UNKNOWN:
        # It is never told for sure where it passes.
        assert fact in certain or not certain
        assert not fact or fact in [hook for hook, _, _ in told]
    elif fact:
        assert fact in certain
    else:
        assert certain == []


def test_the_rulesets_drop_adverts_of_both_families_both_ways_and_let_them_pass(
    tried: dict[str, tuple[str, list[tuple[str, bool, str]]]],
) -> None:
    facts = [(fact, name[-1]) for name, (fact, _) in tried.items()]
    assert all(facts.count((fact, family)) >= 2 for fact in ("", "input", "output") for family in "46")


ADVERT = Packet(Passage(4, True, 112, destination="224.0.0.18"), "eth0")
LETTERS = "-ApjdsmioDROPACEL !'\"\\:0123456789.,/ \t"


@given(
    st.lists(st.text(alphabet="-ApjdsmioDROPACEL !'\"\\:0123456789.,/ \t", max_size=60).map(lambda text: f"-A {text}"))
)
def test_lines_that_nobody_would_write_are_read_within_bounds(lines: list[str]) -> None:
    words = filter(None, map(words_of, [":INPUT ACCEPT [0:0]", ":A -", *lines]))
    chains = read(words, ADVERT, "iptables-nft")
    assert all(isinstance(one, Drop) for one in Walk(chains).drops("INPUT"))


def test_a_comment_is_one_word_whatever_is_in_it() -> None:
    line = r'-A INPUT -m comment --comment "a \"b\" -j \\ --comment" -m x --y "" -j DROP'
    assert words_of(line) == shlex.split(line)


def test_chains_that_jump_to_each_other_end() -> None:
    chains = {
        "a": Chain([Rule(None, "jump", name, "x") for name in "ab" * 20], ACCEPT, ""),
        "b": Chain(
            [Rule(None, "jump", name, "x") for name in "ab" * 20] + [Rule(True, "drop", "", "here")], ACCEPT, ""
        ),
    }
    assert not [one for one in Walk(chains).drops("a") if one.certain]


def test_a_great_many_rules_are_given_up_in_time() -> None:
    many = Chain([Rule(None, "accept", "", "x")] * 100_000 + [Rule(True, "drop", "", "here")], ACCEPT, "")
    assert list(Walk({"a": many}).drops("a")) == []


def test_statements_of_another_nft_are_not_understood_and_no_error() -> None:
    rule = {"family": "inet", "table": "t", "chain": "c", "handle": 1}
    statements = [
        {"match": {"op": "==", "left": {"meta": {"key": "new"}}, "right": 1}},
        {
            "match": {
                "op": "<",
                "left": {"payload": {"base": "th", "offset": 0, "len": 8}},
                "right": [1, {"range": [1, 2]}],
            }
        },
        {"brandnew": {"of": 2030}},
        {"drop": None},
    ]
    chain = {"family": "inet", "table": "t", "name": "c", "policy": "accept", "hook": "input"}
    chains = _chains([chain, {**rule, "expr": statements}], ADVERT)
    assert [one.certain for one in Walk(chains).drops("c")] == [False]
