"""The end of a pod: STOP of every instance is recorded and told, no VIP is left, and the exit status is true."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.failover.namespace import PATIENCE, wait_until
from tests.ipfailover.one_pod import one_pod
from tests.ipfailover.pods import STATE

pytestmark = [pytest.mark.failover, pytest.mark.xdist_group("pod-stop")]


def test_every_stop_is_told_and_every_vip_is_gone() -> None:
    count = 255
    with one_pod() as one:
        one.change(VIRTUAL_IPS=f"10.78.1.1-{count}", VRRP_ID_OFFSET="0")
        one.start()
        assert one.pod.stop() == 0
        one.wait_for_none()
        names = {f"one_VIP_{number}" for number in range(1, count + 1)}
        assert {name for name in names if any(f"{name} " in line and " STOP " in line for line in one.told())} == names
        left = {path.name for path in one.pod.state.iterdir()}
        assert not left & {"notify.fifo", "in-force.json", "agent.socket"}


def test_a_second_sigterm_hastens_the_end_of_a_keepalived_that_hangs() -> None:
    with one_pod("--stop-timeout", "1h") as one:
        one.start()
        for process in one.keepalived():
            os.kill(process, signal.SIGSTOP)
        one.pod.tell(signal.SIGTERM)
        one.wait_for_report("it ends", lambda report: report.phase == "stopping")
        assert one.pod.running
        began = time.monotonic()
        one.pod.tell(signal.SIGTERM)
        assert one.pod.wait(PATIENCE) == 1
        assert time.monotonic() - began < PATIENCE / 2
        one.wait_for_none()
        assert "has not ended after a second SIGTERM and was killed" in one.pod.log


def test_what_is_told_to_a_fifo_that_nobody_reads_is_recorded_at_the_end() -> None:
    with one_pod() as one:
        one.start()
        wait_until("the agent runs", lambda: bool(one.agent()))
        os.kill(one.agent(), signal.SIGSTOP)
        assert one.pod.stop() == 1
        assert "the agent" in one.pod.log
        one.wait_for_none()
        recorded = (one.pod.state / "journal").read_text(errors="replace")
        assert sum("STOP" in line for line in recorded.split("\x1e")) >= len(one.vips)


def test_a_full_state_directory_takes_no_vip_away_and_makes_nobody_hang() -> None:
    with one_pod() as one:
        one.node.must("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", f"{one.pod.directory}/state")
        one.start()
        report = one.pod.state / "pod.json"
        wait_until("it reports", report.exists)
        filled = one.pod.run("dd", "if=/dev/zero", f"of={STATE}/filled", "bs=4k")
        assert "No space left" in filled.stderr
        wait_until("no old report says that it hangs", lambda: not report.exists())
        one.change(VIRTUAL_IPS="10.78.1.1-4")
        one.wait_for_vips()
        (one.pod.state / "filled").unlink()
        one.wait_for_report("it reports again", lambda report: report.phase == "running")
        assert one.pod.stop() == 0


def test_a_pod_that_starts_before_the_instant_of_a_change_begins_at_it() -> None:
    with one_pod() as one:
        # Far enough for a pod on a busy machine to be there before.
        instant = int(time.time()) + 15
        one.change(CHANGE_AT=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instant)))
        one.pod.start()
        report = one.wait_for_report("it waits", lambda report: "all nodes begin at 20" in report.held)
        assert (one.keepalived(), report.phase) == ([], "preflight")
        one.wait_for_vips()
        assert time.time() >= instant
        assert one.pod.stop() == 0


def test_a_change_that_is_held_is_held_by_a_container_that_is_killed_and_started_again() -> None:
    with one_pod() as one:
        one.start()
        one.change(VRRP_VERSION="2", ADVERT_INT="1")
        one.wait_for_report("it is held", lambda report: bool(report.held))
        one.pod.kill()
        killed = one.report.at
        one.pod.start()
        one.wait_for_report("it runs and holds", lambda report: report.at > killed + 2 and bool(report.held))
        assert "version 3" in one.pod.path("/etc/keepalived/keepalived.conf").read_text()
        one.pod.wait_for_word("and were removed")
        one.wait_for_vips()
        assert one.pod.stop() == 0
        # Who ends in peace and is started again begins with what the files say.
        one.pod.start()

        def begins() -> bool:
            path = one.pod.path("/etc/keepalived/keepalived.conf")
            return path.exists() and "version 2" in path.read_text()

        wait_until("it begins with what the files say", begins)
        assert one.pod.stop() == 0


HANGING = f"""#!/bin/sh
case "$*" in *--config-test*) [ ! -e {STATE}/hangs ] || sleep 1000;; esac
exec /usr/sbin/keepalived "$@"
"""


def test_a_test_of_keepalived_that_hangs_does_not_hold_up_the_end() -> None:
    with one_pod() as one:
        (one.pod.state / "bin").mkdir()
        program = one.pod.state / "bin" / "keepalived"
        program.write_text(HANGING)
        program.chmod(0o755)
        one.pod.environ["PATH"] = f"{STATE}/bin:{os.environ['PATH']}"
        one.start()
        (one.pod.state / "hangs").touch()
        one.change(VIRTUAL_IPS="10.78.1.1-4")
        wait_until("it hangs", lambda: bool(one.pod.processes("sleep 1000")))
        one.pod.tell(signal.SIGTERM)
        began = time.monotonic()
        one.wait_for_none()
        print(f"the VIPs are gone {time.monotonic() - began:.2f} s after SIGTERM")
        assert one.pod.wait() == 0
        assert "keepalived --config-test -f" in one.pod.log
        assert "it has not ended before we are to" in one.pod.log
        assert "it has not ended within" not in one.pod.log
