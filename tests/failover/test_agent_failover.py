"""Whoever asks a VIP hardly notices that its service failed, where the agent looks after it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.cli import hacheck

from . import measure
from .agents import CHECKS, GUARD, AgentCluster, agent_nodes, rendered
from .requirements import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.failover

RUNS = 3
BOUNDS = {"kill": 0.5, "hang": 1.2, "500": 0.8}
"""Seconds of the best of the runs, which a busy machine reaches too; `make bench` has those of a quiet one."""


@pytest.fixture(scope="module")
def agents() -> Iterator[AgentCluster]:
    """Three nodes with the agent and the example configuration, one of which serves."""
    lack = missing()
    if lack and os.environ.get("CI"):
        pytest.fail(lack)
    elif lack:
        pytest.skip(lack)
    with agent_nodes(3) as cluster:
        yield cluster


@pytest.mark.serial
@pytest.mark.parametrize("breakage", BOUNDS)
def test_a_failed_service_is_moved_within_a_fraction_of_a_second(agents: AgentCluster, breakage: str) -> None:
    nodes = measure.AgentNodes(agents)
    outages = [nodes.outage(breakage) for _ in range(RUNS)]
    assert min(outage for outage in outages if outage is not None) <= BOUNDS[breakage], outages
    assert None not in outages


@pytest.mark.serial
def test_keepalived_has_nothing_to_say_against_the_example(agents: AgentCluster) -> None:
    node = agents.a
    node.path("/run/example.conf").write_text(rendered(node.name))
    done = node.run("keepalived", "--config-test", "--use-file", "/run/example.conf")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.serial
def test_a_keepalived_that_is_started_again_is_told_at_once_what_the_agent_knows(agents: AgentCluster) -> None:
    node = agents.wait_until_served()
    node.terminate_keepalived()
    node.end_keepalived()
    node.run_keepalived(rendered(node.name))
    agents.wait_until_well(node, "is ready to take over", lambda agent: agent.published == "0")


def test_the_example_declares_the_check_that_its_keepalived_runs() -> None:
    answer = hacheck("checks", "--config", CHECKS)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.split()[0] == GUARD.split()[-1]
    assert f'script "{GUARD}"' in rendered("node-a")
