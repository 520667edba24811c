"""A real Galera node says whether it is a working part of its cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hachecks.checks import runner
from hachecks.deadline import Deadline
from hachecks.probes.sql import SqlProbe
from hachecks.settings import build
from hachecks.verdict import Status, Verdict
from tests import mariadb
from tests.logdaemons import eventually
from tests.postgresql import PASSWORD, workplace
from tests.probes.asking import answer_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.mariadb import MariaDB

pytestmark = pytest.mark.skipif(mariadb.GALERA is None, reason="Galera is not installed: apt-get install galera-4")


@pytest.fixture(scope="module")
def node() -> Iterator[MariaDB]:
    """A cluster of one."""
    with workplace() as place, mariadb.galera_node(place / "node") as server:
        yield server


def ask(node: MariaDB, **table: object) -> Verdict:
    """The verdict on the node."""
    given = {"url": node.url(), "password": PASSWORD, "galera": True, **table}
    return runner.conclude(build(SqlProbe, "sql", {}, {}, given, "hacheck.toml"), Deadline.after(20))


def comes_to(node: MariaDB, told: str) -> None:
    """The node says so, as soon as it is so."""
    eventually(lambda: repr(ask(node)) == told, lambda: repr(ask(node)))


def test_synced_node_passes(node: MariaDB) -> None:
    answer = answer_of("sql", node.url(), "--galera", HACHECK_SQL_PASSWORD=PASSWORD)
    assert answer == (0, f"PASS - 127.0.0.1:{node.port} is Synced in a cluster of 1\n", "")
    assert ask(node).measured == {"cluster_size_count": 1, "receive_queue_count": 0}


def test_synced_node_takes_writes_as_primary(node: MariaDB) -> None:
    verdict = ask(node, role="primary", writable=True, query="select 1", expect="1")
    told = "is Synced in a cluster of 1, is primary, takes writes, answers the query with 1"
    assert repr(verdict) == f"PASS - 127.0.0.1:{node.port} {told}"


def test_desynced_node_passes_only_where_donors_may(node: MariaDB) -> None:
    node.sql("set global wsrep_desync = on")
    try:
        told = "is not synced with its Galera cluster, but Donor/Desynced"
        comes_to(node, f"FAIL - 127.0.0.1:{node.port} {told}")
        told = "is Donor/Desynced in a cluster of 1"
        assert repr(ask(node, allow_donor=True)) == f"PASS - 127.0.0.1:{node.port} {told}"
    finally:
        node.sql("set global wsrep_desync = off")
    eventually(lambda: ask(node).status is Status.PASS, lambda: repr(ask(node)))  # it catches up first


def test_node_that_rejects_queries_fails(node: MariaDB) -> None:
    node.sql("set global wsrep_reject_queries = all")
    try:
        assert ask(node).status is Status.FAIL
        assert "wsrep" in ask(node).reason.lower()
    finally:
        node.sql("set global wsrep_reject_queries = none")


def test_node_that_lost_its_cluster_fails(node: MariaDB) -> None:
    node.sql("set global wsrep_cluster_address = ''")
    told = "is not in the primary component of its Galera cluster, but Disconnected"
    comes_to(node, f"FAIL - 127.0.0.1:{node.port} {told}")
    for table in ({"query": "select count(*) from app.beat"}, {"role": "primary"}, {"writable": True}, {}):
        verdict = ask(node, galera=False, **table)
        assert verdict.status is Status.FAIL, table
        assert "WSREP has not yet prepared node for application use" in verdict.reason
