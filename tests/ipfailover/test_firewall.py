"""The firewall lets VRRP through as the host has its rules, once, and leaves it byte for byte as it was."""

from __future__ import annotations

import re
import signal
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.cli import ROOT
from tests.failover.bridge import SETUP, plug
from tests.failover.namespace import PATIENCE, namespace, wait_until
from tests.failover.requirements import missing_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.failover.namespace import Namespace, Process

pytestmark = [
    pytest.mark.failover,
    pytest.mark.skipif(bool(missing_command("ip", "nsenter", "setpriv", "unshare")), reason="needs root's namespaces"),
]

HOLD = """
import signal, sys
from hachecks.ipfailover.pod.firewall.apart import Apart
from hachecks.ipfailover.pod.firewall.drops import sentences
from hachecks.ipfailover.pod.firewall.errand import CLOSE, OPEN, Errand
from hachecks.ipfailover.pod.firewall.holders import Holder
from hachecks.ipfailover.pod.firewall.passages import passages
name, chain, families, peers = sys.argv[1:5]
holder = Holder(name)
wanted = tuple(passages([int(word) for word in families.split()], peers.split()))
errand = Errand(OPEN, name, chain, wanted, "eth0")
def opened():
    global errand
    answer = Apart(errand).wait()
    errand = errand._replace(known=answer.known)
    return [*answer.said, *sentences(drop for drop in answer.drops if drop.certain)]
if chain:
    holder.hold()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGHUP])
said = opened()
print(*said, "opened", sep="\\n", flush=True)
while signal.sigwait([signal.SIGTERM, signal.SIGHUP]) == signal.SIGHUP:
    print(*(line for line in opened() if line not in said), "opened", sep="\\n", flush=True)
holder.let_go()
print(*Apart(Errand(CLOSE, name)).wait().said, "closed", sep="\\n", flush=True)
"""
SEND = """
import socket, struct, sys, time
family, to = (socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET), sys.argv[1]
one = socket.socket(family, socket.SOCK_RAW, 112)
if family == socket.AF_INET:
    one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
if family == socket.AF_INET6:
    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
while True:
    try:
        one.sendto(bytes.fromhex("31c864010064") + bytes(2) + socket.inet_pton(family, to), (to, 0))
        print("sent", flush=True)
    except PermissionError:
        print("dropped", flush=True)
    time.sleep(0.02)
"""
HEAR = """
import sys
from hachecks.ipfailover.pod.preflight.hearing import Heard, Receiver
from time import monotonic, sleep
heard, until = Heard(), monotonic() + float(sys.argv[2])
with Receiver("eth0", [int(sys.argv[1])], heard, joins=sys.argv[3] == "joins") as receiver:
    while monotonic() < until and not heard.received:
        sleep(0.02)
        receiver.take()
print(bool(heard.received))
"""
BASE = "type filter hook input priority 0; policy"
HOSTS = {
    "empty": "",
    "nftables": f"nft 'table inet filter {{ chain input {{ {BASE} drop; iif lo accept; tcp dport 22 accept; }}; }}'",
    "iptables-nft": "iptables-nft -P INPUT DROP; iptables-nft -P OUTPUT DROP; iptables-nft -A INPUT -i lo -j ACCEPT;"
    "ip6tables-nft -A INPUT -p 112 -j DROP; ip6tables-nft -A OUTPUT -p 112 -j DROP",
    "iptables-legacy": "iptables-legacy -P INPUT DROP; iptables-legacy -A OUTPUT -p 112 -j DROP;"
    "ip6tables-legacy -P INPUT DROP; ip6tables-legacy -P OUTPUT DROP;"
    "ip6tables-legacy -A INPUT -p icmpv6 -j ACCEPT; ip6tables-legacy -A OUTPUT -p icmpv6 -j ACCEPT",
    "both backends": "iptables-nft -A INPUT -p 112 -j DROP; iptables-legacy -A INPUT -p 112 -j DROP",
    "quotes": 'iptables-nft -A INPUT -p 112 -m comment --comment "it\'s \\"x\\" -j --comment" -j DROP',
}
"""Rules that a host may have before us."""
BLOCKED = ("iptables-nft", "iptables-legacy", "both backends")
"""Those that drop adverts where our rules let them through."""


COUNTS = re.compile(r"\[\d+:\d+\]")
"""What has passed by a policy, which is no rule."""


class Holding:
    """A program that has opened the firewall for a configuration."""

    def __init__(
        self, node: Namespace, name: str, chain: str = "INPUT", families: str = "4 6", peers: str = ""
    ) -> None:
        self.said: list[str] = []
        self._opened, self._closed = threading.Event(), threading.Event()
        words = ("env", f"PYTHONPATH={ROOT}", sys.executable, "-c", HOLD, name, chain, families, peers)
        self.process: Process = node.start(*words, heard=self._heard)
        assert self._opened.wait(PATIENCE), self.said

    def _heard(self, line: str) -> None:
        if line in ("opened", "closed"):
            (self._opened if line == "opened" else self._closed).set()
        elif line:
            self.said.append(line)

    def open(self) -> None:
        """Open it again, as is done now and then."""
        self._opened.clear()
        self.process.tell(signal.SIGHUP)
        assert self._opened.wait(PATIENCE), self.said

    def close(self) -> None:
        self.process.terminate()
        assert self._closed.wait(PATIENCE), self.said
        self.process.end(PATIENCE)

    def kill(self) -> None:
        self.process.signal(signal.SIGKILL)
        self.process.end()


def rules(node: Namespace) -> str:
    """All that the kernel has of rules, byte for byte, but for warnings and the time."""
    commands = ["nft list ruleset"]
    commands += [f"{command}-nft-save" for command in ("iptables", "ip6tables")]
    # Asked for a table that is not there, the legacy backend makes it.
    commands += [f"! grep -q . /proc/net/{ip}_tables_names || {ip}tables-legacy-save" for ip in ("ip", "ip6")]
    found = node.must("sh", "-ec", "\n".join(commands))
    lines = [line for line in found.splitlines() if not line.startswith("#")]
    return COUNTS.sub("[0:0]", "\n".join(lines))


@pytest.fixture
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """A host and a peer of it."""
    with namespace(SETUP) as switch, namespace() as host, namespace() as peer:
        plug(host, switch, "host", "10.78.0.1/16", "fd78::1/64", "fe80::1/64")
        plug(peer, switch, "peer", "10.78.0.2/16", "fd78::2/64", "fe80::2/64")
        yield host, peer


@pytest.fixture
def host() -> Iterator[Namespace]:
    with namespace() as found:
        yield found


def prepared(host: Namespace, kind: str) -> str:
    """The rules of a kind of host, as they are before us."""
    host.must("sh", "-ec", HOSTS[kind] or "true")
    return rules(host)


def hears(node: Namespace, family: int, *, seconds: float, joins: bool = True) -> bool:
    words = ("env", f"PYTHONPATH={ROOT}", sys.executable, "-c", HEAR, str(family), str(seconds))
    return node.must(*words, "joins" if joins else "-").strip() == "True"


def sends(node: Namespace, to: str) -> tuple[Process, list[str]]:
    said: list[str] = []
    return node.start("env", f"PYTHONPATH={ROOT}", sys.executable, "-c", SEND, to, heard=said.append), said


@pytest.mark.parametrize("kind", HOSTS)
def test_the_rules_are_as_before_when_it_is_closed(host: Namespace, kind: str) -> None:
    before = prepared(host, kind)
    one, other = Holding(host, "one"), Holding(host, "other.b-c")
    assert rules(host) != before
    one.close()
    between = rules(host)
    assert "ipfailover:one" not in between
    assert "ipfailover:other.b-c" in between
    other.close()
    assert rules(host) == before
    assert (one.said != [], other.said != []) == ((True, True) if kind == "nftables" else (False, False))


@pytest.mark.parametrize("kind", BLOCKED)
def test_adverts_of_both_families_pass_in_and_out_from_then_on(pair: tuple[Namespace, Namespace], kind: str) -> None:
    host, peer = pair
    prepared(host, kind)
    groups = ("224.0.0.18", "ff02::12")
    ways = [sends(node, to) for node in (peer, host) for to in groups]
    assert hears(host, 4, seconds=0.3) is False
    one = Holding(host, "one")
    assert one.said == []
    for node in (host, peer):
        assert [hears(node, family, seconds=PATIENCE) for family in (4, 6)] == [True, True]
    one.close()
    assert hears(host, 4, seconds=0.3) is False
    for process, _ in ways:
        process.end()


def test_by_unicast_peers_alone_are_let_in(pair: tuple[Namespace, Namespace]) -> None:
    host, peer = pair
    before = prepared(host, "iptables-nft")
    process, _ = sends(peer, "10.78.0.1")
    one = Holding(host, "one", families="4", peers="10.78.0.9")
    assert hears(host, 4, seconds=0.3, joins=False) is False
    one.close()
    two = Holding(host, "one", families="4", peers="10.78.0.2 10.78.0.3")
    assert hears(host, 4, seconds=PATIENCE, joins=False)
    assert "igmp" not in rules(host)
    two.close()
    process.end()
    assert rules(host) == before


@pytest.mark.parametrize("kind", ["empty", "nftables", "iptables-nft", "iptables-legacy"])
def test_who_was_killed_counts_no_more(host: Namespace, kind: str) -> None:
    before = prepared(host, kind)
    first = Holding(host, "one")
    once = rules(host)
    first.kill()
    assert rules(host) == once
    again = Holding(host, "one")
    assert sorted(rules(host).splitlines()) == sorted(once.splitlines())
    other = Holding(host, "other")
    again.kill()
    other.close()
    assert rules(host) == before


def monitored(host: Namespace) -> list[str]:
    """What nft says of changes from now on."""
    changes: list[str] = []
    host.start("nft", "monitor", heard=changes.append)

    def listens() -> bool:
        host.must("nft", "add table inet trial; delete table inet trial")
        return bool(changes)

    wait_until("it listens", listens)
    host.must("nft", "add table inet begins; delete table inet begins")
    wait_until("all of that is heard", lambda: any("delete table inet begins" in line for line in changes))
    changes.clear()
    return changes


@pytest.mark.parametrize("kind", ["empty", "nftables", "iptables-nft", "iptables-legacy"])
def test_opened_again_it_changes_nothing_unless_somebody_took_rules_away_or_came_before(
    host: Namespace, kind: str
) -> None:
    before = prepared(host, kind)
    one, other = Holding(host, "one"), Holding(host, "other")
    changes = monitored(host)
    once = rules(host)
    one.open()
    other.open()
    assert rules(host) == once
    host.must("nft", "add", "table", "inet", "seen")
    wait_until("it is heard", lambda: any("seen" in line for line in changes))
    assert [line for line in changes if "seen" not in line and not line.startswith("# new gen")] == []
    host.must("nft", "delete", "table", "inet", "seen")
    host.must("sh", "-ec", TAKEN[kind])
    one.open()
    other.open()
    assert sorted(re.sub("handle .*", "", rules(host)).splitlines()) == sorted(once.splitlines())
    one.close()
    other.close()
    assert rules(host) == before


TAKEN = {
    "empty": "nft delete table inet hacheck_ipfailover",
    "nftables": "nft flush chain inet hacheck_ipfailover input",
    "iptables-nft": "iptables-nft -D INPUT 1; iptables-nft -D INPUT -i lo -j ACCEPT;"
    "iptables-nft -I INPUT -i lo -j ACCEPT",
    "iptables-legacy": "ip6tables-legacy -D OUTPUT -p icmpv6 -j ACCEPT; ip6tables-legacy -I OUTPUT -p icmpv6 -j ACCEPT",
}
"""What others do to our rules."""


@pytest.mark.parametrize("kind", ["empty", "iptables-nft"])
def test_the_rules_stay_for_a_second_pod_of_the_same_configuration(host: Namespace, kind: str) -> None:
    before = prepared(host, kind)
    leaving, coming = Holding(host, "one"), Holding(host, "one")
    once = rules(host)
    leaving.close()
    assert rules(host) == once
    coming.close()
    assert rules(host) == before


@pytest.mark.parametrize("kind", ["empty", "iptables-nft", "iptables-legacy"])
def test_without_a_chain_no_rule_is_made_and_those_of_a_killed_one_go(host: Namespace, kind: str) -> None:
    before = prepared(host, kind)
    Holding(host, "one").kill()
    one = Holding(host, "one", chain="")
    assert rules(host) == before
    one.close()
    assert rules(host) == before


def test_a_chain_of_ones_own_is_used_and_one_that_is_absent_is_told(host: Namespace) -> None:
    host.must("sh", "-ec", "iptables-nft -N VRRP_IN; iptables-nft -A INPUT -j VRRP_IN")
    before = rules(host)
    one = Holding(host, "one", chain="VRRP_IN", families="4")
    assert "-A VRRP_IN -d 224.0.0.18/32 -p vrrp -m comment" in rules(host)
    one.close()
    other = Holding(host, "one", chain="VRPP_IN", families="4")
    assert other.said == [
        "OPENSHIFT_HA_IPTABLES_CHAIN: iptables-nft has no chain VRPP_IN, so VRRP is not let in; name INPUT"
    ]
    assert rules(host) == before
    other.close()
    assert rules(host) == before


def test_a_drop_in_another_table_is_told_with_its_place_and_cure(host: Namespace) -> None:
    prepared(host, "nftables")
    chain = "type filter hook output priority 5; policy accept; udp dport 1 drop; meta l4proto 112 counter drop;"
    host.must("nft", f"table inet other {{ chain out {{ {chain} }}; }}")
    one = Holding(host, "one", families="4")
    assert one.said == [
        "adverts from others are dropped by the policy of chain input in table inet filter, which no rule elsewhere "
        "overrides; nft insert rule inet filter input meta l4proto 112 accept",
        "adverts to others are dropped by rule handle 3 of chain out in table inet other, which no rule elsewhere "
        "overrides; nft insert rule inet other out meta l4proto 112 accept",
    ]
    host.must("nft", "insert rule inet filter input meta l4proto 112 accept")
    host.must("nft", "insert rule inet other out meta l4proto 112 accept")
    assert Holding(host, "two", families="4").said == []
    one.close()


def without(host: Namespace, *programs: str) -> None:
    """Have programs be none, for this namespace."""
    for one in programs:
        host.must("sh", "-c", f"for path in /usr/sbin/{one}; do mount --bind /dev/null $path; done")


def test_without_nft_and_iptables_it_is_told_in_one_line(host: Namespace) -> None:
    without(host, "nft", "xtables-*-multi")
    one = Holding(host, "one")
    assert one.said == [
        "there is neither nft nor iptables here, so VRRP is not let in; install one, or let it in yourself"
    ]
    one.close()
    assert len(one.said) == 1


def test_an_iptables_that_fails_is_told_and_the_rest_is_done(host: Namespace) -> None:
    broken = "printf '#!/bin/sh\\necho kaput >&2; exit 3\\n' >/run/broken; chmod +x /run/broken"
    host.must("sh", "-ec", f"mount -t tmpfs tmpfs /run; {broken}; mount --bind /run/broken /usr/sbin/xtables-nft-multi")
    one = Holding(host, "one")
    kaput = "the firewall is left as it is: {}-nft-save: kaput"
    assert one.said == [kaput.format("iptables"), kaput.format("ip6tables")]
    listed = host.must("nft", "list", "table", "inet", "hacheck_ipfailover")
    assert listed.count('comment "hacheck-ipfailover:one"') == 8
    one.close()
    assert host.must("nft", "list", "ruleset") == ""
    assert one.said[2:] == [
        f"rules of the firewall may be left: {name}-nft-save: kaput" for name in ("iptables", "ip6tables")
    ]


def test_a_rule_that_somebody_put_into_our_table_stays(host: Namespace) -> None:
    first = Holding(host, "one")
    host.must("nft", "add", "rule", "inet", "hacheck_ipfailover", "input", "udp", "dport", "9", "accept")
    second = Holding(host, "two")
    first.close()
    second.close()
    assert "udp dport 9 accept" in host.must("nft", "list", "table", "inet", "hacheck_ipfailover")


def test_without_nft_the_rules_are_of_iptables(host: Namespace) -> None:
    before = rules(host)
    host.must("sh", "-c", "cp /usr/sbin/nft /dev/shm/nft-of-the-test")
    without(host, "nft")
    one = Holding(host, "one")
    saved = host.must("sh", "-c", "iptables-nft-save; ip6tables-nft-save")
    assert "-A INPUT -d 224.0.0.18/32 -p vrrp -m comment" in saved
    assert "-A OUTPUT -d ff02::12/128 -p vrrp -m comment" in saved
    one.close()
    assert before == ""
    # iptables cannot remove a table, and this one has nothing in it.
    empty = "table ip filter {\n}\ntable ip6 filter {\n}"
    assert host.must("/dev/shm/nft-of-the-test", "list", "ruleset").strip() == empty


NO_RIGHT = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")


def run_without_right(host: Namespace, chain: str) -> Sequence[str]:
    program = HOLD.replace("while signal.sigwait([signal.SIGTERM, signal.SIGHUP])", "while 0")
    words = (*NO_RIGHT, "env", f"PYTHONPATH={ROOT}", sys.executable, "-c", program, "one", chain, "4 6", "")
    return [line for line in host.must(*words).splitlines() if line]


def test_without_net_admin_it_is_told_in_one_line(host: Namespace) -> None:
    before = prepared(host, "iptables-nft")
    first, *others = run_without_right(host, "INPUT")
    assert first.startswith("the firewall cannot be seen or changed without CAP_NET_ADMIN (iptables-nft-save: ")
    assert others == ["opened", "rules of the firewall may be left: " + first.partition("(")[2][:-1], "closed"]
    assert rules(host) == before
