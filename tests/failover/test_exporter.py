"""Two exporters beside two real Keepalived nodes: each tells the truth, whatever is done to them."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import missing as browser_missing
from tests.exporter.running import Series

from .cluster import VIP, Cluster, Node, two_nodes
from .conftest import executable
from .namespace import wait_until
from .requirements import missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.failover, pytest.mark.executable]

CHECK = "sh /etc/keepalive/hacheck http http://{address}/"
NOTIFY = "sh /etc/keepalive/hacheck notify"
PORT = "10112"
INSTANCE = "ipfailover_VIP_1"
TOLD_WITHIN = 60.0
"""Seconds that a busy machine is given; on a quiet one it is told within one."""


class Observed:
    """A node with an exporter on it."""

    def __init__(self, node: Node, *words: str, port: str = PORT) -> None:
        self.node = node
        self.url = f"http://127.0.0.1:{port}"
        self.lines: list[str] = []
        node.path("/run/hacheck").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "hachecks", "exporter", "--keepalived-config", "/run/keepalived.conf"]
        command += ["--listen", f":{port}", *words]
        self.process = node.start(*command, heard=self.lines.append)

    def get(self, path: str) -> str:
        return self.node.run("curl", "--silent", "--max-time", "30", f"{self.url}/{path}").stdout

    @property
    def status(self) -> Any:
        return json.loads(self.get("api/status"))

    @property
    def vip(self) -> Any:
        (vip,) = self.status["vips"]
        return vip

    @property
    def metrics(self) -> Series:
        return Series.read(self.get("metrics"))

    def value(self, name: str) -> float | None:
        return self.metrics.of(f"hachecks_{name}")

    def until(self, what: str, true: Callable[[Any], bool], within: float = TOLD_WITHIN) -> Any:
        """Wait until the node's one VIP is like that; returns what is known of it then."""
        seen: list[Any] = []

        def told() -> bool:
            seen.append(self.vip)
            return true(seen[-1])

        try:
            wait_until(what, told, within)
        except TimeoutError as error:
            raise AssertionError(f"{error}: {self.node.name}: {seen[-1]}\n" + "\n".join(self.lines)) from None
        return seen[-1]


class Pair:
    """Both nodes observed."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.a, self.b = (Observed(node) for node in cluster.nodes)
        for one in (self.a, self.b):
            wait_until("the exporter is ready", lambda one=one: "ready" in one.get("-/ready"))  # type: ignore[misc]

    def holders(self) -> float:
        """How many nodes carry the VIP, as Prometheus would add it up."""
        return sum(one.value("vip_present") or 0.0 for one in (self.a, self.b))


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    lack = missing()
    if lack:
        pytest.fail(lack) if os.environ.get("CI") else pytest.skip(lack)
    with two_nodes(executable()) as cluster:
        yield cluster


@pytest.fixture
def pair(nodes: Cluster) -> Iterator[Pair]:
    """Both nodes with Keepalived and an exporter; node a has the VIP."""
    for node in nodes.nodes:
        node.web.repair()
        node.run("ip", "address", "del", f"{VIP}/32", "dev", "eth0")
        left = (*node.path("/run/hacheck").glob("*"), *node.path("/run").glob("[kv]*.pid"))  # by a killed Keepalived
        for path in left:
            path.unlink(missing_ok=True)  # who delivered in the former test may still do so
    with nodes.keepalived(CHECK, notify=NOTIFY):
        pair = Pair(nodes)
        try:
            pair.a.until("a serves", lambda vip: vip["state"] == "MASTER" and vip["present"])
            pair.b.until("b stands by", lambda vip: vip["state"] == "BACKUP" and not vip["present"])
            yield pair
        finally:
            for one in (pair.a, pair.b):
                one.process.terminate()
                one.process.end(within=5)


def test_all_agrees_while_nothing_happens(pair: Pair) -> None:
    for one, present in ((pair.a, 1), (pair.b, 0)):
        assert (one.value("vip_present"), one.value("vip_expected")) == (present, present)
        assert one.status["agrees"]
        assert one.status["disagreements"] == one.status["hints"] == []
        assert one.value("keepalived_up") == 1
        assert one.status["vips"][0]["interface"] == "eth0"
    assert pair.a.metrics.state(INSTANCE) == "MASTER"
    assert pair.b.metrics.state(INSTANCE) == "BACKUP"
    assert pair.holders() == 1


def test_a_failover_is_told_by_both(pair: Pair) -> None:
    entered = {(one, state): times_entered(one, state) for one in (pair.a, pair.b) for state in ("FAULT", "MASTER")}
    began = time.monotonic()
    pair.cluster.a.web.answer_500()
    pair.cluster.wait_for_state(pair.cluster.a, "FAULT", since=began)
    lost = pair.a.until("a is in FAULT", lambda vip: vip["state"] == "FAULT" and vip["present"] is False)
    assert lost["expected"] is False
    assert "answered 500" in lost["why"]
    pair.cluster.wait_for_vip(pair.cluster.b, since=began)
    pair.b.until("b serves", lambda vip: vip["state"] == "MASTER" and vip["present"])
    assert pair.a.metrics.state(INSTANCE) == "FAULT"
    assert times_entered(pair.a, "FAULT") == entered[pair.a, "FAULT"] + 1
    assert times_entered(pair.b, "MASTER") == entered[pair.b, "MASTER"] + 1
    assert pair.holders() == 1
    for one in (pair.a, pair.b):
        assert one.status["agrees"]


def times_entered(one: Observed, state: str) -> float:
    """How often its instance has: a busy machine may have moved the VIP before."""
    return one.metrics.of("hachecks_vrrp_transitions_total", state=state) or 0.0


def test_the_checks_of_both_are_told(pair: Pair) -> None:
    wait_until("checks have run", lambda: bool(pair.a.status["checks"] and pair.b.status["checks"]))
    began = time.monotonic()
    pair.cluster.a.web.kill()
    pair.cluster.wait_for_state(pair.cluster.a, "FAULT", since=began)
    (check,) = pair.a.status["checks"]
    assert (check["status"], check["probe"], check["interval"]) == ("FAIL", "http", 2.0)
    assert pair.a.metrics.of("hachecks_check_up") == 0
    failures = "hachecks_check_failures_total"  # the first may be a connection that was there when nginx was killed
    wait_until("it is refused", lambda: (pair.a.metrics.of(failures, reason="refused") or 0) >= 1)
    assert pair.b.metrics.of("hachecks_check_up") == 1


def test_a_killed_keepalived_leaves_an_orphan_and_both_are_seen_to_serve(pair: Pair) -> None:
    began = time.monotonic()
    pair.cluster.a.kill_keepalived()
    orphan = pair.a.until("a has an orphan", lambda vip: bool(vip["trouble"]))
    assert orphan["trouble"] == f"Keepalived does not run, but {VIP} is still on eth0"
    assert (orphan["state"], orphan["present"], orphan["expected"]) == ("UNKNOWN", True, False)
    assert pair.a.value("keepalived_up") == 0
    assert pair.a.metrics.state(INSTANCE) == "UNKNOWN"
    assert (pair.a.value("vip_present"), pair.a.value("vip_expected")) == (1, 0)
    pair.cluster.wait_for_vip(pair.cluster.b, since=began)
    pair.b.until("b serves", lambda vip: vip["state"] == "MASTER" and vip["present"])
    assert pair.holders() == 2
    assert f"{VIP} is still on eth0" in pair.a.get("")


def test_a_vip_that_is_removed_by_hand_is_missed(pair: Pair) -> None:
    """Keepalived notices, and puts it back within a second or so: what is seen in between depends on who is busy."""
    known = pair.a.value("vrrp_last_transition_timestamp_seconds") or 0.0
    pair.cluster.a.must("ip", "address", "del", f"{VIP}/32", "dev", "eth0")

    def is_told(vip: Any) -> bool:
        missed = vip["present"] is False
        if missed and vip["state"] == "MASTER":  # Keepalived has not said BACKUP yet
            assert vip["trouble"] == f"Keepalived says MASTER, but {VIP} is on no interface"
        return missed or vip["since"] > known  # or it is back already

    pair.a.until("the VIP is missed", is_told)
    pair.a.until("it is back", lambda vip: vip["present"] and vip["state"] == "MASTER")
    assert (pair.a.value("vrrp_last_transition_timestamp_seconds") or 0.0) > known


def test_a_vip_that_is_missing_for_good_is_told_in_plain_words(pair: Pair) -> None:
    pair.cluster.a.hang_keepalived()  # it cannot put the VIP back
    pair.cluster.a.must("ip", "address", "del", f"{VIP}/32", "dev", "eth0")
    missed = pair.a.until("the VIP is missed", lambda vip: bool(vip["trouble"]))
    assert missed["trouble"] == f"Keepalived says MASTER, but {VIP} is on no interface"
    assert (pair.a.value("vip_present"), pair.a.value("vip_expected")) == (0, 1)
    assert pair.a.node.run(sys.executable, "-m", "hachecks", "status").returncode == 1
    pair.cluster.a.kill_keepalived()


def test_a_hanging_keepalived_is_seen_as_two_holders(pair: Pair) -> None:
    began = time.monotonic()
    pair.cluster.a.hang_keepalived()
    pair.cluster.wait_for_vip(pair.cluster.b, since=began)
    pair.b.until("b serves", lambda vip: vip["state"] == "MASTER" and vip["present"])
    assert pair.a.value("vip_present") == 1
    assert pair.holders() == 2
    pair.cluster.a.kill_keepalived()


def test_a_stop_is_told_as_one(pair: Pair) -> None:
    began = time.monotonic()
    pair.cluster.a.terminate_keepalived()
    pair.cluster.wait_for_vip(pair.cluster.b, since=began)
    stopped = pair.a.until("a has stopped", lambda vip: vip["state"] == "STOP" and vip["present"] is False)
    assert (stopped["expected"], stopped["trouble"]) == (False, "")
    wait_until("Keepalived has ended", lambda: pair.a.value("keepalived_up") == 0)
    assert pair.holders() == 1
    assert not pair.a.status["agrees"], "nobody is there to agree with"
    assert pair.a.status["disagreements"] == []


def test_what_is_known_survives_a_restart_of_the_exporter(pair: Pair) -> None:
    before = pair.a.status["instances"][0]
    pair.a.process.terminate()
    pair.a.process.end(within=5)
    again = Observed(pair.cluster.a)
    try:
        wait_until("it is ready", lambda: "ready" in again.get("-/ready"))
        after = again.status["instances"][0]
        # When it was is reckoned anew from the start of the machine: by a clock that may be adjusted all the while.
        assert after["since"] == pytest.approx(before["since"], abs=1)
        assert {**before, "timeline": None, "since": None} == {**after, "timeline": None, "since": None}
        assert [state for _, state in after["timeline"]] == [state for _, state in before["timeline"]]
    finally:
        again.process.terminate()
        again.process.end(within=5)


def test_the_status_of_the_terminal_is_that_of_the_exporter(pair: Pair) -> None:
    looked = pair.a.node.run(sys.executable, "-m", "hachecks", "status", "--keepalived-config", "/run/keepalived.conf")
    asked = pair.a.node.run("sh", "/etc/keepalive/hacheck", "status", "--url", f"http://127.0.0.1:{PORT}/")
    for told in (looked, asked):
        assert told.returncode == 0, told
        assert "The VIP is where Keepalived says" in told.stdout
        assert VIP in told.stdout


def test_a_browser_shows_a_live_failover_without_a_reload(pair: Pair, tmp_path: Path) -> None:
    lack = browser_missing()
    if lack:
        pytest.fail(lack) if os.environ.get("CI") else pytest.skip(lack)
    seen: list[dict[str, Any]] = []
    script = str(Path(__file__).with_name("watch_page.py"))
    url = f"http://127.0.0.1:{PORT}/"
    command = [sys.executable, script, str(tmp_path), url, "MASTER", "FAULT"]
    watching = pair.cluster.a.start(*command, heard=lambda line: seen.append(json.loads(line)))
    try:
        wait_until("the page shows MASTER", lambda: bool(seen))
        assert seen[0].get("seen") == "before", seen
        began = time.monotonic()
        pair.cluster.a.web.answer_500()
        fault = pair.cluster.wait_for_state(pair.cluster.a, "FAULT", since=began)
        wait_until("the page shows FAULT", lambda: len(seen) > 2)
    finally:
        watching.end()
    after, end = seen[1:]
    assert (after["seen"], after["once"]) == ("after", True), seen
    assert after["at"] - fault.at < TOLD_WITHIN, "the page asks every second"
    assert end == {"seen": "all", "errors": [], "violations": []}


def test_keepalived_is_asked_for_its_counters_only_if_that_is_wanted(pair: Pair) -> None:
    sent = "keepalived_advertisements_sent_total"
    assert pair.a.metrics.of(sent) is None
    words = ("--keepalived-json", "/run", "--pid-file", "/run/keepalived.pid", "--compat", "keepalived")
    request = Observed(pair.cluster.a, *words, port="10113")
    try:
        wait_until("the exporter is ready", lambda: "ready" in request.get("-/ready"))
        first = request.metrics
        assert first.of("hachecks_source_up", source="keepalived_json") == 1, request.lines
        before = first.of(sent, iname=INSTANCE, intf="eth0") or 0.0
        assert before > 0
        wait_until("more has been sent", lambda: (request.metrics.of(sent) or 0.0) > before)
        pair.cluster.a.hang_keepalived()
        up = ("hachecks_source_up", "keepalived_json")
        wait_until("it gives no answer", lambda: request.metrics.of(up[0], source=up[1]) == 0)
        hanging = request.metrics
        assert hanging.of(sent) is None, "what it said before says nothing about now"
        assert hanging.of("keepalived_up") == 0
    finally:
        pair.cluster.a.kill_keepalived()
        request.process.terminate()
        request.process.end(within=5)
