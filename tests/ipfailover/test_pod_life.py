"""A pod's first process: it starts Keepalived and the agent, and again when they are killed, and leaves nobody dead."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.failover.namespace import wait_until
from tests.ipfailover.one_pod import OnePod, one_pod

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.failover, pytest.mark.xdist_group("pod-life")]


@pytest.fixture(scope="module")
def one() -> Iterator[OnePod]:
    with one_pod("--preflight", "strict") as found:
        found.start()
        yield found
        assert found.pod.stop() == 0
        found.wait_for_none()


def descriptors(process: int) -> int:
    return len(os.listdir(f"/proc/{process}/fd"))


def test_it_is_process_1_and_has_both_run(one: OnePod) -> None:
    assert len(one.keepalived()) == 2
    assert one.pod.run("cat", "/proc/1/comm").stdout.startswith("python")
    one.wait_for_report("it runs", lambda report: report.phase == "running")
    wait_until("the agent runs", lambda: bool(one.agent()))


def test_what_keepalived_says_is_recorded_and_told(one: OnePod) -> None:
    wait_until("it is told", lambda: sum(" MASTER " in line for line in one.told()) >= len(one.vips))
    assert all(f"one_VIP_{number}" in one.history() for number in (1, 2, 3))


def test_a_keepalived_that_is_killed_with_all_its_processes_is_started_again(one: OnePod) -> None:
    before, restarts, history = one.keepalived(), one.report.restarts["keepalived"], len(one.cluster.owners.history)
    # The second would take its VIPs off in peace, or be started again by the first.
    for process in before:
        os.kill(process, signal.SIGSTOP)
    for process in before:
        os.kill(process, signal.SIGKILL)
    one.wait_for_report("it was started again", lambda report: report.restarts["keepalived"] == restarts + 1)

    def taken_off() -> list[str]:
        return sorted(change.vip for change in one.cluster.owners.history[history:] if not change.owners)

    # Those that were left are taken off before the new one has them.
    wait_until("they are taken off", lambda: taken_off() == sorted(one.vips))
    one.wait_for_vips()
    assert len(one.keepalived()) == 2
    assert not set(before) & set(one.keepalived())
    one.pod.wait_for_word("and were removed")


def test_a_keepalived_that_is_stopped_does_not_keep_its_vips_for_ever(one: OnePod) -> None:
    before, restarts = one.keepalived(), one.report.restarts["keepalived"]
    for process in before:
        os.kill(process, signal.SIGSTOP)
    one.wait_for_report("it was started again", lambda report: report.restarts["keepalived"] == restarts + 1)
    one.pod.wait_for_word("Keepalived was stopped for 10 s")
    one.wait_for_vips()
    assert not set(before) & set(one.keepalived())


def test_a_first_process_of_keepalived_that_is_killed_has_its_second_one_end_in_peace(one: OnePod) -> None:
    first, second = one.keepalived()
    restarts = one.report.restarts["keepalived"]
    os.kill(first, signal.SIGKILL)
    one.wait_for_report("it was started again", lambda report: report.restarts["keepalived"] == restarts + 1)
    one.wait_for_vips()
    assert {first, second}.isdisjoint(one.keepalived())


def test_a_second_process_of_keepalived_that_is_killed_is_the_first_ones_business(one: OnePod) -> None:
    first, second = one.keepalived()
    restarts = one.report.restarts["keepalived"]
    os.kill(second, signal.SIGKILL)
    wait_until("it has another", lambda: len(one.keepalived()) == 2 and second not in one.keepalived())
    one.wait_for_vips()
    assert one.keepalived()[0] == first
    assert one.report.restarts["keepalived"] == restarts


def test_the_agent_is_started_again_and_reads_on(one: OnePod) -> None:
    wait_until("the agent runs", lambda: bool(one.agent()))
    agent, restarts = one.agent(), one.report.restarts["agent"]
    os.kill(agent, signal.SIGKILL)
    said = one.history().count("BACKUP")
    os.kill(one.keepalived()[0], signal.SIGTERM)  # it says STOP, and BACKUP when it is started again
    one.wait_for_report("it was started again", lambda report: report.restarts["agent"] == restarts + 1)
    wait_until("it is recorded", lambda: one.history().count("BACKUP") >= said + len(one.vips))
    assert one.agent() not in (0, agent)
    one.wait_for_vips()


def test_what_others_leave_behind_is_reaped(one: OnePod) -> None:
    done = one.pod.run("sh", "-c", "for i in 1 2 3 4 5; do (sleep 0.1 & exec true) & done; wait")
    assert done.returncode == 0

    def zombies() -> list[str]:
        states = {path: path.read_text() for path in Path(f"/proc/{one.pod.pid}/root/proc").glob("[0-9]*/stat")}
        return [text for text in states.values() if text.rpartition(") ")[2][:1] == "Z"]

    wait_until("nobody is dead", lambda: not zombies())


def test_a_signal_for_keepalived_goes_to_its_first_process(one: OnePod) -> None:
    one.pod.tell(signal.SIGUSR1)
    wait_until("it dumps its data", lambda: one.pod.path("/tmp/keepalived.data").exists())


def test_no_descriptor_is_left_open_by_reloads_and_looks(one: OnePod) -> None:
    before = descriptors(one.pod.pid)
    reloads = one.report.reloads
    for number, vips in enumerate(("10.78.1.1-4", "10.78.1.1-3", "bogus", "10.78.1.1-3"), 1):
        one.change(VIRTUAL_IPS=vips)
        if number < 3:
            one.wait_for_report("it reloads", lambda report, number=number: report.reloads == reloads + number)  # type: ignore[misc]
        elif number == 3:
            one.wait_for_report("it is refused", lambda report: "bogus" in " ".join(report.findings))
        else:
            one.wait_for_report("all is well", lambda report: not report.findings)
    assert descriptors(one.pod.pid) == before
    one.wait_for_vips()
