"""A disk that hangs under the state directory keeps a pod from no signal, no child and no VIP."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.failover.namespace import PATIENCE
from tests.failover.requirements import missing_command
from tests.ipfailover.one_pod import one_pod

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ipfailover.one_pod import OnePod

pytestmark = [
    pytest.mark.failover,
    pytest.mark.xdist_group("pod-disk"),
    pytest.mark.skipif(bool(missing_command("mkfs.ext4", "fsfreeze")), reason="needs a file system that can be frozen"),
]

SIZE = 64 << 20
HANGS = "/run/hacheck hangs: what is written there does not end"


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[OnePod]:
    """A pod that serves its VIPs, and under whose state directory every write hangs from now on."""
    image = tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    with one_pod() as one:
        state = f"{one.pod.directory}/state"
        if one.node.run("mount", "-o", "loop", str(image), state).returncode:
            pytest.skip("no loop device is to be had")
        one.pod.state.chmod(0o755)
        one.start()
        one.wait_for_report("it runs", lambda report: report.phase == "running")
        one.node.must("fsfreeze", "-f", state)
        try:
            yield one
        finally:
            one.node.run("fsfreeze", "-u", state)


def thaw(one: OnePod) -> None:
    one.node.must("fsfreeze", "-u", f"{one.pod.directory}/state")


def test_while_it_hangs_vips_are_served_and_given_away(frozen: OnePod) -> None:
    one = frozen
    one.pod.wait_for_word(HANGS)
    began = time.monotonic()
    one.pod.tell(signal.SIGTERM)
    one.wait_for_none()
    print(f"the VIPs are gone {time.monotonic() - began:.3f} s after SIGTERM")
    assert one.pod.running
    thaw(one)
    one.pod.wait(PATIENCE)
    assert one.pod.log.count(HANGS) == 1


def test_a_change_waits_until_it_hangs_no_more(frozen: OnePod) -> None:
    one = frozen
    one.change(VIRTUAL_IPS="10.78.1.1-4")
    one.pod.wait_for_word(HANGS)
    one.wait_for_vips(["10.78.1.1", "10.78.1.2", "10.78.1.3"])
    assert "Reloading" not in one.pod.log
    thaw(one)
    one.wait_for_vips()
    one.wait_for_report("all is well", lambda report: not report.findings and not report.is_stale)
    assert one.pod.stop() == 0


def test_a_killed_keepalived_leaves_no_vip_though_it_hangs(frozen: OnePod) -> None:
    one = frozen
    one.pod.wait_for_word(HANGS)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in one.keepalived():
            os.kill(process, number)
    one.wait_for_none()
    assert one.keepalived() == []
    thaw(one)
    one.wait_for_vips()
    assert one.pod.stop() == 0
