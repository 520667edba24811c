"""What hacheck.toml declares for the agent, and what of it goes on after a reload."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from hachecks.agent.declared import checks_of
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from pathlib import Path

    from hachecks.agent.check import AgentCheck

ONE = '[check.one]\nprobe = "file"\npath = "/dev/null"\n'
TWO = '[check.two]\nprobe = "file"\npath = "/dev/zero"\nfall = 2\n'
BOTH = '[check.both]\nall = ["one", "two"]\n'


def declared(tmp_path: Path, toml: str, running: list[AgentCheck] | None = None) -> list[AgentCheck]:
    path = tmp_path / "hacheck.toml"
    path.write_text(toml)
    return checks_of(str(path), {}, running or [])


@pytest.mark.parametrize("kind", ["fifo", "device", "socket"])
def test_what_is_no_plain_file_is_refused_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "hacheck.toml"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    with pytest.raises(Invalid, match=r"it is no plain file; name the file with --config or HACHECK_CONFIG"):
        checks_of(str(path), {})


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ('interval = "50ms"', "interval 50 ms is shorter than 100 ms, the shortest that the agent keeps"),
        ('fall = 2\nfast_interval = "5ms"', "fast_interval is at least 10ms"),
        ('fall = 2\ninterval = "1s"\nfast_interval = "1s"', "fast_interval 1 s is not shorter than interval 1 s"),
        ('fast_interval = "200ms"', "fast_interval needs rise or fall of 2 or more; with 1 the first answer counts"),
        ("weight = -10", "weight needs track_file, by which Keepalived is told"),
    ],
)
def test_what_the_agent_cannot_do_is_refused_in_one_line(tmp_path: Path, keys: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        declared(tmp_path, f"{ONE}{keys}\n")
    assert str(refused.value) == f"{tmp_path}/hacheck.toml: [check.one]: {told}"


def test_two_checks_have_no_track_file_in_common_however_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"\[check.two\]: track_file /run/a/../t is that of one"):
        declared(tmp_path, f'{ONE}track_file = "/run/t"\n{TWO}track_file = "/run/a/../t"\n')


def test_what_is_declared_as_before_goes_on(tmp_path: Path) -> None:
    before = declared(tmp_path, ONE + TWO)
    assert declared(tmp_path, TWO + ONE, before) == before[::-1]


def test_what_is_declared_otherwise_begins_anew(tmp_path: Path) -> None:
    one, two, both = declared(tmp_path, ONE + TWO + BOTH)
    after = declared(tmp_path, ONE + TWO.replace("fall = 2", "fall = 3") + BOTH, [one, two, both])
    assert after[0] is one
    assert after[1] is not two
    assert after[2] is not both, "a member of it has changed"


def test_nothing_is_taken_of_a_file_with_one_fault(tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        declared(tmp_path, f'{ONE}[check.two]\nprobe = "file"\n')
