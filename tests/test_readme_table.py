"""The README's table of hachecks and the stock image: both cells of each row are shown, or the row is not there.

What is run elsewhere, with real Keepalived for example, is named by its test.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from hachecks.ipfailover.stock.node import StockNode
from hachecks.ipfailover.stock.simulation import IMMEDIATE, Simulation, simulate
from hachecks.ipfailover.variable import version
from hachecks.settings import Invalid
from tests import readme_pod_rows as readme_pod_rows  # noqa: PLC0414 - notes rows of its own
from tests.cli import ROOT, hacheck
from tests.ipfailover.given import ids, loads, masters, plan, plan_and_ledger, variables
from tests.ipfailover.rendering import block, render
from tests.readme_table import PROVED, Row, row, rows, shown_by
from tests.servers import Server, Silent

if TYPE_CHECKING:
    import socket

VERSIONS = ("4.14", "4.17", "4.20", "5.1")


def test_the_table_is_found() -> None:
    assert len(rows()) >= 11


def stock(at: str = "4.20", node: StockNode | None = None, /, **short: str) -> Simulation:
    """What the stock image does."""
    return simulate(variables(**{"NETWORK_INTERFACE": "br-ex", **short}), version(at), node)


def refusal(**short: str) -> str:
    """Why there is no plan."""
    with pytest.raises(Invalid) as refused:
        plan(**short)
    return str(refused.value)


@row("`10.1.1.1/24`", "refused, with what to write", "serves 10.1.1.124")
def _a_prefix() -> None:
    assert "write 10.1.1.1" in refusal(VIRTUAL_IPS="10.1.1.1/24")
    for at in VERSIONS:
        assert stock(at, VIRTUAL_IPS="10.1.1.1/24").served == ("10.1.1.124",)


@row(
    "`10.1.1.250-10.1.2.5`, blanks between VIPs, ranges of IPv6, blocks",
    "as it is meant",
    "VIPs vanish without a word",
)
def _lists() -> None:
    for text, first, last, count in (
        ("10.1.1.250-10.1.2.5", "10.1.1.250", "10.1.2.5", 12),
        ("3.3.3.3-4  4.4.4.4", "3.3.3.3", "4.4.4.4", 3),
        ("fd00::a-f", "fd00::a", "fd00::f", 6),
        ("10.1.0.0/30", "10.1.0.1", "10.1.0.2", 2),
    ):
        meant = list(ids(plan(VIRTUAL_IPS=text)))
        assert (meant[0], meant[-1], len(meant)) == (first, last, count)
        for at in VERSIONS:
            found = stock(at, VIRTUAL_IPS=text)
            assert set(meant) - set(found.served), (text, at)
            # The image says nothing; of a block Keepalived's log has that it is no address.
            assert not found.ends
            assert all("is no address, and passed over" in one for one in found.findings), (text, at, found.findings)


@row("more instances than ids", "refused, with the cure", "Keepalived does not start: all VIPs are lost")
def _too_many() -> None:
    assert "OPENSHIFT_HA_VIP_GROUPS" in refusal(VIRTUAL_IPS="10.0.0.1-254", VRRP_ID_OFFSET="10")
    found = stock(VIRTUAL_IPS="10.0.0.1-254", VRRP_ID_OFFSET="10")
    assert found.ends
    assert found.served == ()
    shown_by("ipfailover/test_stock.py::test_keepalived_makes_of_the_text_what_is_said")


@row("a VIP added or removed", "no other one is touched", "all after it get other ids")
def _another_vip() -> None:
    before, ledger = plan_and_ledger({}, VIRTUAL_IPS="10.0.0.1-5")
    after, _ = plan_and_ledger(ledger, VIRTUAL_IPS="10.0.0.9,10.0.0.1-2,10.0.0.4-5")
    kept = ids(before).keys() & ids(after).keys()
    assert len(kept) == 4
    assert all(ids(before)[vip] == ids(after)[vip] for vip in kept)
    shown_by("ipfailover/test_cluster_reload.py::test_not_one_request_to_another_vip_is_lost")
    old, new = (
        {one.vips[0]: one.id for one in stock(VIRTUAL_IPS=text).instances}
        for text in ("10.0.0.1-5", "10.0.0.1-2,10.0.0.4-5")
    )
    assert [vip for vip in new if new[vip] != old[vip]] == ["10.0.0.4", "10.0.0.5"]


@row(
    "who has which VIP",
    "spread evenly, pinned, apart, together; known beforehand",
    "by the node's last octet and chance",
)
def _who() -> None:
    seven = {"VIRTUAL_IPS": "10.0.0.1-7", "NODES": "a,b,c"}
    found = plan(**seven)
    assert sorted(loads(found).values()) == [2, 2, 3]
    assert found == plan(**seven)
    assert masters(plan(**seven, PREFER="10.0.0.4=c"))["10.0.0.4"] == "c"
    apart = masters(plan(**seven, APART="10.0.0.1-3"))
    assert len({apart[f"10.0.0.{number}"] for number in (1, 2, 3)}) == 3
    together = masters(plan(**seven, TOGETHER="10.0.0.1-3"))
    assert len({together[f"10.0.0.{number}"] for number in (1, 2, 3)}) == 1
    ten, other, eleven = (
        [
            one.priority
            for one in stock("4.20", StockNode(address), VIRTUAL_IPS="10.0.0.1-7", REPLICA_COUNT="2").instances
        ]
        for address in ("10.9.0.10", "10.9.0.138", "10.9.0.11")
    )
    assert ten == other != eleven
    assert any(one and one[0] < one[1] for one in eleven)


@row(
    "a node that comes back",
    "as `OPENSHIFT_HA_PREEMPTION` says",
    "takes its VIPs back at once, whatever that says (before 4.18 even with `nopreempt`)",
)
def _comes_back() -> None:
    for text, line in (("nopreempt", "    nopreempt"), ("preempt_delay 120", "    preempt_delay 120")):
        written = block(render({"NODES": "a,b", "PREEMPTION": text}), "vrrp_instance")
        assert line in written
        assert "    state BACKUP" in written
    shown_by(
        "ipfailover/test_cluster_plan.py::test_without_preemption_the_first_node_that_starts_keeps_all",
        "failover/test_failover.py::test_repaired_master_takes_the_vip_back_in_spite_of_preempt_delay",
    )
    for at, text, counts in (
        ("4.17", "nopreempt", IMMEDIATE),
        ("4.20", "preempt_delay 300", IMMEDIATE),
        ("4.20", "preempt_nodelay 300", IMMEDIATE),
        ("4.20", "nopreempt", "nopreempt"),
    ):
        found = stock(at, StockNode("10.9.0.2"), VIRTUAL_IPS="10.0.0.1", PREEMPTION=text)
        assert found.instances[0].preemption == counts, (at, text)


@row("unicast", "with the peers, each one's own address left out", "the own address stays among the peers")
def _unicast() -> None:
    peers = "10.9.0.1,10.9.0.2,10.9.0.3"
    written = "\n".join(block(render({"UNICAST_PEERS": peers}, "10.9.0.2"), "vrrp_instance"))
    assert re.findall(r"^        (10\.9\.\S+)", written, re.MULTILINE) == ["10.9.0.1", "10.9.0.3"]
    assert "unicast_src_ip 10.9.0.2" in written
    assert stock("4.20", StockNode("10.9.0.2"), VIRTUAL_IPS="10.0.0.1", UNICAST_PEERS=peers).peers == tuple(
        peers.split(",")
    )


@row("the check", "one for each range of VIPs; rise, fall, last resort", "one for all")
def _one_check() -> None:
    several = {"VIRTUAL_IPS": "10.0.0.1-2,10.0.1.1-2", "CHECK_SCRIPT_1": "true", "CHECK_SCRIPT_2": "false"}
    text = render({**several, "NODES": "a", "CHECK_RISE": "3", "CHECK_FALL": "4", "ON_FAIL": "last-resort"})
    assert len(re.findall("^vrrp_script", text, re.MULTILINE)) == 2
    assert text.count("    rise 3") == text.count("    fall 4") == 2
    assert re.search(r"^ +weight -?\d+", text, re.MULTILINE)
    found = stock(VIRTUAL_IPS="10.0.0.1-2,10.0.1.1-2").text
    assert len(re.findall("^vrrp_script", found, re.MULTILINE)) == 1
    assert len(set(re.findall(r"track_script \{\s*(\S+)", found))) == 1


class Broken(Server):
    """Answers every request with 500."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        connection.sendall(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n")


@row("a service that hangs, or answers 500", "fails the check", "passes the default check")
def _broken() -> None:
    # Which of the three, where the processor is others'.
    late = "^$|^FAIL .* (gave no full answer|was not judged) within 500 ms"
    for kind, timeout, reason in ((Silent, 0.5, late), (Broken, 20, "^FAIL .* answered 500")):
        with kind() as server:
            port = str(server.port)
            found = stock("4.20", StockNode("127.0.0.1"), VIRTUAL_IPS="10.0.0.1", MONITOR_PORT=port)
            done = subprocess.run(shlex.split(found.check), capture_output=True, timeout=60, check=False)
            assert done.returncode == 0, done
            answer = hacheck("http", f"http://127.0.0.1:{port}/", "--timeout", timeout)
            assert answer.code == 1
            assert re.search(reason, answer.line)


@row("a ConfigMap that is edited", "the check goes on", "the check passes for ever")
def _edited() -> None:
    shown_by(
        "failover/test_failover.py::test_check_survives_an_edit_of_its_configmap",
        "failover/test_failover.py::test_edited_check_counts_from_its_next_run_on",
        "failover/test_failover.py::test_bare_path_passes_for_ever_after_an_edit_of_the_configmap",
    )


@row(
    "what is wrong",
    "one line with the place and the cure, before anything is applied",
    "found out by the VIP's users",
)
def _told() -> None:
    file = ROOT / "tests" / "ipfailover-deployment.yaml"
    answer = hacheck("ipfailover", "lint", file)
    assert answer.code == 1
    for line in answer.out.splitlines():
        assert re.match(rf"{re.escape(str(file))}(:\d+)?: .*(error|warning|note) HA\d{{3}}: .+; .+", line), line
    for short in (
        {"VIRTUAL_IPS": "www.example.test"},
        {"VIRTUAL_IPS": "10.0.0.9-7"},
        {"VIRTUAL_IPS": "10.0.0.1", "REPLICA_COUNT": "x"},
    ):
        found = stock(**short)
        assert (found.ends, found.findings) == ("", ()), short


@pytest.mark.parametrize("one", [pytest.param(one, id=one.about) for one in dict.fromkeys([*rows(), *PROVED])])
def test_a_row_is_so(one: Row) -> None:
    assert one in PROVED, "prove both of its cells in this file, by `row` with their text"
    PROVED[one]()
