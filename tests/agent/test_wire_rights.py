"""The agent has the rights of networks until it hears the segment, and nothing that it starts has them after that."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hachecks.agent.wire import ears
from hachecks.agent.wire.rights import NET_ADMIN, NET_RAW
from tests.agent.running import agent
from tests.cli import ROOT
from tests.failover.namespace import namespace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path as Directory

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to have rights")

GIVE_UP = """
import subprocess, sys, threading
from hachecks.agent.wire import rights
print(rights.give_up(map(int, sys.argv[1:])))
threading.Thread(target=lambda: print(open("/proc/thread-self/status").read())).start()
subprocess.run(["cat", "/proc/self/status"], check=True)
"""


def rights_in(status: str, which: str) -> list[int]:
    """Each mask of this name, such as CapEff, in what /proc says."""
    return [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(f"{which}:")]


@pytest.mark.parametrize(("kept", "left"), [pytest.param((), 0, id="none"), pytest.param((NET_RAW,), 1, id="raw")])
def test_a_thread_and_a_child_of_user_0_do_not_have_them_either(kept: tuple[int, ...], left: int) -> None:
    words = [sys.executable, "-c", GIVE_UP, *map(str, kept)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)
    for which in ("CapEff", "CapPrm"):
        masks = rights_in(done.stdout, which)
        assert len(masks) == 2
        assert all(mask >> NET_ADMIN & 1 == 0 for mask in masks)
        assert all(mask >> NET_RAW & 1 == left for mask in masks)
        assert all(mask & 1 for mask in masks), "what it does not give up (CAP_CHOWN) it still has"
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("NoNewPrivs")] == ["1", "1"]


@pytest.mark.parametrize(
    ("toml", "needed"),
    [
        pytest.param('[check.a]\nprobe = "tcp"\ntarget = "127.0.0.1:1"\n', [], id="nothing"),
        pytest.param('[check.a]\nprobe = "tcp"\nmark = 7\n', [("[check.a]", "mark")], id="mark"),
        pytest.param('[check.a]\nprobe = "tcp"\ninterface = "lo"\n', [("[check.a]", "interface")], id="interface"),
        pytest.param('[notifier.a]\nnotifier = "exec"\n', [("[notifier.a]", "exec")], id="command"),
        pytest.param("[[", [], id="no-toml"),
    ],
)
def test_what_hacheck_toml_needs_is_known(tmp_path: Directory, toml: str, needed: list[tuple[str, str]]) -> None:
    path = tmp_path / "hacheck.toml"
    path.write_text(toml)
    assert ears.needs(str(path)) == needed


def test_every_thread_of_an_agent_has_given_them_up(tmp_path: Directory) -> None:
    with namespace() as alone, agent("", tmp_path, prefix=inside(alone.pid), ready=False, serving=False) as running:
        running.until("it serves", lambda: running.urls)
        tasks = [*threads(running.process.pid)]
    masks = [mask for task in tasks for which in ("CapEff", "CapPrm", "CapInh") for mask in rights_in(task, which)]
    assert len(tasks) > 1
    assert all(not mask & (1 << NET_RAW | 1 << NET_ADMIN) for mask in masks)


def test_an_agent_without_the_right_says_once_that_it_does_not_watch(tmp_path: Directory) -> None:
    with agent("", tmp_path, prefix=("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")) as running:
        status = running.status()
        assert running.series().of("hachecks_vrrp_wire_watched") == 0
        assert running.series().of("hachecks_vrrp_wire_conflicts", kind="deaf") is None
    assert [hint for hint in status["hints"] if "not watched" in hint] == [f"{ears.NOT_WATCHED}; {ears.NEEDS}"]
    assert "wire" not in {one["source"] for one in status["sources"]}


def test_an_agent_that_is_told_not_to_watch_says_nothing_of_it(tmp_path: Directory) -> None:
    with agent("", tmp_path, "--no-wire") as running:
        assert not [hint for hint in running.status()["hints"] if "watched" in hint]
        status = Path(f"/proc/{running.process.pid}/status").read_text()
    assert rights_in(status, "CapEff") == rights_in(Path("/proc/self/status").read_text(), "CapEff")


def threads(pid: int) -> Iterator[str]:
    """What /proc says of each thread of a process, but of those that end meanwhile."""
    for path in Path(f"/proc/{pid}/task").glob("*/status"):
        with suppress(OSError):
            yield path.read_text()


def inside(pid: int) -> tuple[str, ...]:
    return ("nsenter", f"--net=/proc/{pid}/ns/net")
