"""The word of a pod's first process is shown by the agent, and decides what the pod's probes are told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from hachecks import pod_report
from hachecks import state as kept
from hachecks.agent import pod
from hachecks.agent.wire.ears import Ears
from hachecks.agent.wire.subject import Subject
from hachecks.agent.wire.watch import WireWatch
from hachecks.exporter.reports import HANGS
from hachecks.exporter.view import Instance, View, Vip
from hachecks.keepalived.configuration import VirtualAddress, VrrpInstance
from hachecks.pod_report import PREFLIGHT, RUNNING, STALE, STOPPING, PodReport
from hachecks.wire.frames import Advert
from tests.agent.running import agent
from tests.cli import hacheck

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.running import Agent

FINDING = "eth0: 224.0.0.18 is not joined: start Keepalived"
HELD = "VIP 10.0.0.1 would be served twice: write an instant"


def report(running: Agent, *words: str, seconds_ago: float = 0.0, phase: str = RUNNING, held: str = "") -> None:
    at = time.clock_gettime(time.CLOCK_BOOTTIME) - seconds_ago
    PodReport(phase, words, held, {"keepalived": 2, "agent": 1}, 3, at).write(kept.home(str(running.state)))


def test_what_it_says_is_on_the_page_in_the_document_and_among_the_metrics(tmp_path: Path) -> None:
    with agent("", tmp_path, "--no-wire") as running:
        assert running.series().of("hachecks_pod_findings") is None
        report(running, FINDING, held=HELD)
        running.until("it is read", lambda: running.status()["findings"][-2:] == [FINDING, HELD])
        assert FINDING in running.get("").body.decode()
        series = running.series()
        done = hacheck("status", "--url", running.urls[0])
    assert [series.of("hachecks_pod_phase", phase=phase) for phase in (PREFLIGHT, RUNNING, STOPPING)] == [0, 1, 0]
    assert series.of("hachecks_pod_findings") == 1
    assert series.of("hachecks_pod_configuration_held") == 1
    assert series.of("hachecks_pod_restarts_total", process="keepalived") == 2
    assert series.of("hachecks_pod_reloads_total") == 3
    assert series.of("hachecks_pod_report_stale") == 0
    assert f"? {FINDING}" in done.out.splitlines()


def test_a_pod_whose_first_process_hangs_is_not_healthy_and_one_without_such_is(tmp_path: Path) -> None:
    with agent("", tmp_path, "--no-wire") as running:
        assert running.get("-/healthy").status == 200
        report(running, seconds_ago=STALE - 2)
        running.until("it is stale", lambda: running.get("-/healthy").status == 503)
        assert running.get("-/healthy").body.decode() == f"not healthy: {HANGS}\n"
        assert running.series().of("hachecks_pod_report_stale") == 1
        report(running)
        running.until("it is well again", lambda: running.get("-/healthy").status == 200)


def test_a_report_of_a_pod_that_is_gone_counts_as_none(tmp_path: Path) -> None:
    directory = kept.home(str(tmp_path))
    for at in (-1000.0, 3600.0):  # of long ago, and of before the machine was started anew
        PodReport(RUNNING, (FINDING,), at=time.clock_gettime(time.CLOCK_BOOTTIME) + at).write(directory)
        with agent("", tmp_path, "--no-wire") as running:
            assert running.get("-/healthy").status == 200
            assert FINDING not in running.status()["findings"]


def test_a_pod_is_not_ready_before_its_preflight_is_over(tmp_path: Path) -> None:
    with agent("", tmp_path, "--no-wire") as running:
        report(running, phase=PREFLIGHT)
        running.until("it is not ready", lambda: running.get("-/ready").status == 503)
        assert running.get("-/ready").body.decode() == "not yet: the pod's first process is in its phase preflight\n"
        report(running)
        running.until("it is ready", lambda: running.get("-/ready").status == 200)


def instance(state: str) -> Instance:
    return Instance("V", "eth0", 1, "ipv4", 100, state, None, None, "", {}, 0.0, ())


def vip(state: str, present: bool | None, expected: bool | None) -> Vip:
    on = ("eth0",) if present else ()
    return Vip("10.0.0.1", "V", "eth0", 32, False, on, present, expected, "", state)


WIRE = WireWatch(Ears(None, None), "/nonexistent", lambda _: None)


@pytest.mark.parametrize(
    ("state", "present", "expected", "why"),
    [
        pytest.param("MASTER", True, True, "", id="master-has-it"),
        pytest.param("BACKUP", False, False, "", id="backup-has-it-not"),
        pytest.param("FAULT", False, False, "", id="fault-has-it-not"),
        pytest.param("MASTER", False, True, "10.0.0.1 is not where Keepalived says", id="master-has-it-not"),
        pytest.param("BACKUP", True, False, "10.0.0.1 is not where Keepalived says", id="backup-has-it"),
        pytest.param("FAULT", True, False, "10.0.0.1 is not where Keepalived says", id="fault-has-it"),
        pytest.param(
            "UNKNOWN", False, None, "it is not known whether 10.0.0.1 is where Keepalived says", id="not-known"
        ),
    ],
)
def test_a_pod_is_ready_when_its_vips_are_where_they_belong(
    state: str, present: bool, expected: bool | None, why: str
) -> None:
    seen = View("a", "1", 0.0, True, (vip(state, present, expected),), (instance(state),))
    assert pod.not_ready(PodReport(RUNNING), seen, WIRE) == why
    assert pod.not_ready(None, seen, WIRE) == ""


def test_a_pod_that_is_backup_and_hears_no_master_is_not_ready() -> None:
    wire = WireWatch(Ears(None, None), "/nonexistent", lambda _: None)
    address = VirtualAddress("10.0.0.1", 32, "eth0", False)
    configured = VrrpInstance("V", "eth0", 51, 100, False, (address,), (), "ipv4")
    subject = Subject(configured, {address.address: "eth0"})
    wire.judge.watch([subject])
    seen = View("a", "1", 0.0, True, (vip("BACKUP", False, False),), (instance("BACKUP"),))
    subject.enter("BACKUP", time.monotonic(), 100)
    assert pod.not_ready(PodReport(RUNNING), seen, wire) == "V: no other node is heard, and this one is BACKUP"
    mac, source, vips = "02:00:00:00:00:02", "10.0.0.2", ("10.0.0.1",)
    advert = Advert("eth0", mac, source, "224.0.0.18", "ipv4", 2, 51, 200, vips, 1.0, 0)
    wire.judge.hear(advert, time.monotonic())
    assert pod.not_ready(PodReport(RUNNING), seen, wire) == ""


def test_a_report_that_is_none_is_passed_over(tmp_path: Path) -> None:
    with agent("", tmp_path, "--no-wire") as running:
        (kept_in := tmp_path / pod_report.NAME).write_text("[]")
        assert kept_in.exists()
        assert running.get("-/ready").status == 200
        assert running.get("-/healthy").status == 200
