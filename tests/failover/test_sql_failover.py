"""Does the VIP follow the PostgreSQL primary, when it dies and when its standby is promoted?"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests import postgresql
from tests.postgresql import PostgreSQL, workplace

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from .cluster import Cluster, Node
    from .namespace import Process

pytestmark = [
    pytest.mark.failover,
    pytest.mark.skipif(not postgresql.PROGRAMS.is_dir(), reason="PostgreSQL is not installed"),
]

PRIMARY = "sh /etc/keepalive/hacheck sql postgresql://trusted@{address}/postgres --role primary"


class OnNode(PostgreSQL):
    """A server on one of the nodes, which dies with it."""

    def __init__(self, node: Node, directory: Path) -> None:
        super().__init__(directory, node.address)
        self.node = node
        self.port = 5432
        self.running: Process | None = None

    def execute(self, name: str, *words: object) -> subprocess.CompletedProcess[str]:
        return self.node.run(*postgresql.program(name, *words), timeout=60.0)

    def start(self) -> OnNode:
        self.running = self.node.start(*self.server())
        self.wait()
        return self

    def kill(self, *_: object) -> None:
        if self.running:
            self.running.end()


@contextmanager
def databases(cluster: Cluster) -> Iterator[tuple[OnNode, OnNode]]:
    """A primary on node a, and a standby that streams from it on node b."""
    with workplace() as place:
        primary, standby = OnNode(cluster.a, place / "a"), OnNode(cluster.b, place / "b")
        try:
            primary.initialise({"listen_addresses": "*"})
            primary.start().sql("create role trusted login")
            standby.copy(primary)
            standby.start()
            yield primary, standby
        finally:
            standby.kill()
            primary.kill()


@contextmanager
def keepalived(cluster: Cluster, check: str) -> Iterator[None]:
    """Keepalived on both nodes; the check passes on one of them only, unlike the cluster's own."""
    try:
        for node in cluster.nodes:
            node.start_keepalived(check, ())
        yield
    finally:
        for node in cluster.nodes:
            node.terminate_keepalived()
        for node in cluster.nodes:
            node.end_keepalived()


def test_vip_follows_the_primary(cluster: Cluster) -> None:
    began = time.monotonic()
    with databases(cluster) as (primary, standby), keepalived(cluster, PRIMARY):
        cluster.wait_for_vip(cluster.a, since=began)
        assert cluster.b.check(PRIMARY).stdout == (
            f"FAIL - {cluster.b.address}:5432/postgres is standby, expected primary\n"
        )
        died = time.monotonic()
        primary.kill()
        cluster.wait_for_state(cluster.a, "FAULT", since=died)
        assert not cluster.b.has_vip  # a standby must not get it, even when nobody else has it
        promoted = time.monotonic()
        standby.promote()
        cluster.wait_for_vip(cluster.b, since=promoted)
        cluster.wait_for_service(cluster.b, since=promoted)
        assert cluster.master is cluster.b
