"""Every probe keeps its promises to Keepalived, whatever server of the zoo it meets."""

from __future__ import annotations

import sys

import pytest

from hachecks.checks.publish import PUBLISH_SECONDS
from hachecks.checks.watchdog import WITH_LINE_AFTER, WITHOUT_LINE_AFTER
from hachecks.registry import PROBES
from hachecks.verdict import Status
from tests.contracts import MEMORY_KIB, declared, names_of_a_programmer
from tests.measured import Run, measured
from tests.probes.asking import verdict_of
from tests.servers import ZOO, Server, Silent

TIMEOUT = 0.5
START = 0.75
"""Seconds of its own that a check takes until its time begins: the interpreter, and the imports."""
LATEST = START + TIMEOUT + WITH_LINE_AFTER + PUBLISH_SECONDS
STARVED = WITHOUT_LINE_AFTER - WITH_LINE_AFTER
"""Seconds without the processor after which a check may be ended before it has told its line."""
TRIES = 5
"""How often a check is asked that others keep from the processor."""

COMMANDS = [
    pytest.param(f"{name} {words}", id=f"{name}{number or ''}")
    for name in PROBES
    for number, words in enumerate(declared(name, "CONTRACTS"))
]
ANIMALS = [pytest.param(animal, id=animal.__name__) for animal in ZOO]


def undisturbed(command: str, server: Server) -> Run:
    """The check, asked again where it said nothing and had no chance to."""
    words = [*command.format(host="127.0.0.1", port=server.port).split(), "--timeout", str(TIMEOUT)]
    for _ in range(TRIES):
        run = measured(sys.executable, "-m", "hachecks", *words)
        if run.out or run.starved < STARVED:
            break
        assert (run.code, run.err) == (1, "")
    return run


@pytest.mark.parametrize("animal", ANIMALS)
@pytest.mark.parametrize("command", COMMANDS)
def test_ends_in_time_with_one_line_and_does_not_pass(command: str, animal: type[Server]) -> None:
    with animal("0.0.0.0") as server:
        run = undisturbed(command, server)
    assert (run.code, run.err) == (1, "")
    assert run.out.startswith("FAIL - "), run
    assert run.out.count("\n") == 1
    assert not names_of_a_programmer(run.out), run.out
    assert run.peak_kib <= MEMORY_KIB
    assert run.own_seconds <= LATEST, run


@pytest.mark.parametrize("command", COMMANDS)
def test_at_whatever_instant_its_time_ends_no_error_is_ours(command: str) -> None:
    with Silent("0.0.0.0") as server:
        name, *words = command.format(host="127.0.0.1", port=server.port).split()
        for step in range(60):
            verdict = verdict_of(name, *words, timeout=1e-5 * 1.15**step)  # up to 40 ms
            assert verdict.status is Status.FAIL, verdict
