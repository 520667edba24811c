"""A pod's first process: it starts Keepalived and the agent, and again when they are killed, and leaves nobody dead."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.failover.namespace import wait_until
from tests.ipfailover.one_pod import OnePod, one_pod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ipfailover.cluster import Change

pytestmark = [pytest.mark.failover, pytest.mark.xdist_group("pod-life")]


@pytest.fixture(scope="module")
def one() -> Iterator[OnePod]:
    with one_pod("--preflight", "strict") as found:
        found.start()
        yield found
        assert found.pod.stop() == 0
        found.wait_for_none()


AT_THE_FIREWALL = "hachecks.ipfailover.pod.firewall"


def descriptors(process: int) -> int:
    return len(os.listdir(f"/proc/{process}/fd"))


def both(one: OnePod) -> tuple[int, int]:
    """Keepalived's two processes, of which the second comes a moment after the first."""
    wait_until("both processes run", lambda: len(one.keepalived()) == 2)
    first, second = one.keepalived()
    return first, second


def taken_off(history: list[Change]) -> list[str]:
    """The VIPs that nobody has from then on, at each time."""
    return sorted(change.vip for change in history if not change.owners)


def wait_for_another(one: OnePod, before: int) -> None:
    """See the VIPs taken off, since that place of the history, before they are here again."""
    wait_until("they are taken off", lambda: taken_off(one.cluster.owners.history[before:]) == sorted(one.vips))
    one.wait_for_vips()


def test_it_is_process_1_and_has_both_run(one: OnePod) -> None:
    assert len(both(one)) == 2
    assert one.pod.run("cat", "/proc/1/comm").stdout.startswith("python")
    one.wait_for_report("it runs", lambda report: report.phase == "running")
    wait_until("the agent runs", lambda: bool(one.agent()))


def test_what_keepalived_says_is_recorded_and_told(one: OnePod) -> None:
    wait_until("it is told", lambda: sum(" MASTER " in line for line in one.told()) >= len(one.vips))
    assert all(f"one_VIP_{number}" in one.history() for number in (1, 2, 3))


def test_a_keepalived_that_is_killed_with_all_its_processes_is_started_again(one: OnePod) -> None:
    before, restarts, history = both(one), one.report.restarts["keepalived"], len(one.cluster.owners.history)
    # The second would take its VIPs off in peace, or be started again by the first.
    for process in before:
        os.kill(process, signal.SIGSTOP)
    for process in before:
        os.kill(process, signal.SIGKILL)
    one.wait_for_report("it was started again", lambda report: report.restarts["keepalived"] == restarts + 1)
    # Those that were left are taken off before the new one has them.
    wait_for_another(one, history)
    assert not set(before) & set(both(one))
    one.pod.wait_for_word("and were removed")


def test_a_keepalived_that_is_stopped_does_not_keep_its_vips_for_ever(one: OnePod) -> None:
    before, restarts, history = both(one), one.report.restarts["keepalived"], len(one.cluster.owners.history)
    for process in before:
        os.kill(process, signal.SIGSTOP)
    one.wait_for_report("it was started again", lambda report: report.restarts["keepalived"] == restarts + 1)
    one.pod.wait_for_word("Keepalived was stopped for 10 s")
    wait_for_another(one, history)
    assert not set(before) & set(both(one))


def test_a_first_process_of_keepalived_that_is_killed_has_its_second_one_end_in_peace(one: OnePod) -> None:
    first, second = both(one)
    restarts, history = one.report.restarts["keepalived"], len(one.cluster.owners.history)
    os.kill(first, signal.SIGKILL)
    one.wait_for_report("it was started again", lambda report: report.restarts["keepalived"] == restarts + 1)
    wait_for_another(one, history)
    assert {first, second}.isdisjoint(both(one))


def test_a_second_process_of_keepalived_that_is_killed_is_the_first_ones_business(one: OnePod) -> None:
    first, second = both(one)
    restarts, said = one.report.restarts["keepalived"], one.history().count("MASTER")
    os.kill(second, signal.SIGKILL)
    wait_until("it has another", lambda: len(one.keepalived()) == 2 and second not in one.keepalived())
    # The VIPs are here all the time.
    wait_until("that is master", lambda: one.history().count("MASTER") >= said + len(one.vips))
    one.wait_for_vips()
    assert one.keepalived()[0] == first
    assert one.report.restarts["keepalived"] == restarts


def test_the_agent_is_started_again_and_reads_on(one: OnePod) -> None:
    wait_until("the agent runs", lambda: bool(one.agent()))
    agent, restarts, history = one.agent(), one.report.restarts["agent"], len(one.cluster.owners.history)
    os.kill(agent, signal.SIGKILL)
    said = one.history().count("BACKUP")
    os.kill(one.keepalived()[0], signal.SIGTERM)  # it says STOP, and BACKUP when it is started again
    one.wait_for_report("it was started again", lambda report: report.restarts["agent"] == restarts + 1)
    wait_until("it is recorded", lambda: one.history().count("BACKUP") >= said + len(one.vips))
    assert one.agent() not in (0, agent)
    wait_for_another(one, history)


def test_what_others_leave_behind_is_reaped(one: OnePod) -> None:
    done = one.pod.run("sh", "-c", "for i in 1 2 3 4 5; do (sleep 0.1 & exec true) & done; wait")
    assert done.returncode == 0

    def zombies() -> list[str]:
        found = []
        for path in Path(f"/proc/{one.pod.pid}/root/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it is reaped
                found.append(path.read_text())
        return [text for text in found if text.rpartition(") ")[2][:1] == "Z"]

    wait_until("nobody is dead", lambda: not zombies())


def test_a_signal_for_keepalived_goes_to_its_first_process(one: OnePod) -> None:
    one.pod.tell(signal.SIGUSR1)
    wait_until("it dumps its data", lambda: one.pod.path("/tmp/keepalived.data").exists())


def test_no_descriptor_is_left_open_by_reloads_and_looks(one: OnePod) -> None:
    wait_until("nobody is at the firewall", lambda: not one.pod.processes(AT_THE_FIREWALL))
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
    # Some are open while it looks at the firewall, or writes its report.
    wait_until("no more are open than before", lambda: descriptors(one.pod.pid) <= before)
    one.wait_for_vips()
