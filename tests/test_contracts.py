"""Does every probe keep its promises to Keepalived against every server of the zoo?"""

from __future__ import annotations

import sys

import pytest

from hachecks.registry import PROBES
from tests.contracts import CONNECTING, GRACE, MEMORY_KIB, NOT_CONNECTING, TIMEOUT, TRIES, names_of_a_programmer, words
from tests.measured import Run, measured
from tests.servers import ZOO, Refusing, Server

COMMANDS = [
    pytest.param(command, id=command.split(" ", 1)[0] + f"{number or ''}")
    for commands in CONNECTING.values()
    for number, command in enumerate(commands)
]
ANIMALS = [pytest.param(animal, id=animal.__name__) for animal in ZOO]


def start_up(command: str) -> float:
    """Seconds that this check takes now when its answer is immediate: the interpreter, the imports, and the load."""
    with Refusing() as nobody:
        return measured(sys.executable, "-m", "hachecks", *words(command, nobody)).seconds


def is_in_time(run: Run, command: str) -> bool:
    """Whether the check ended in time and of itself; what a busy machine takes to start it is not counted."""
    return run.out != "" and (run.seconds <= TIMEOUT + GRACE or run.seconds <= TIMEOUT + GRACE + start_up(command))


@pytest.mark.parametrize("animal", ANIMALS)
@pytest.mark.parametrize("command", COMMANDS)
def test_ends_in_time_with_one_line_and_does_not_pass(command: str, animal: type[Server]) -> None:
    seconds: list[float] = []
    with animal("0.0.0.0") as server:
        for _ in range(TRIES):
            run = measured(sys.executable, "-m", "hachecks", *words(command, server))
            assert (run.code, run.err) == (1, "")
            assert run.out == "" or (run.out.startswith("FAIL - ") and run.out.count("\n") == 1)
            assert not names_of_a_programmer(run.out), run.out
            assert run.peak_kib <= MEMORY_KIB
            if is_in_time(run, command):
                return
            seconds.append(run.seconds)
    pytest.fail(f"not in time, or without a line: {seconds}")


def test_every_probe_is_under_contract() -> None:
    assert set(PROBES) == {*CONNECTING, *NOT_CONNECTING}
