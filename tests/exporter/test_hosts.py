"""A name that somebody can register is not taken for this node's, and every name is that Prometheus may ask in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from hachecks.exporter.hosts import Hosts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    (tmp_path / "resolv.conf").write_text("# comment\nnameserver 10.0.0.1\nsearch cluster.example.com. example.org\n")
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n10.0.0.5 lb.example.net lb # ours\n")
    environ = {"NODE_NAME": "worker-1.example.com"}
    return Hosts(["status.example.com", "*.internal.example.com"], environ, str(tmp_path))


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.5", "10.0.0.5:10112", "[fd00::5]:10112", "[fe80::1%eth0]", "localhost:10112", "LOCALHOST",
        "a.localhost", "ipfailover", "ipfailover:10112", "ipfailover.ns.svc", "ipfailover.ns.svc.cluster.local.",
        "node.local", "node.lan", "node.home.arpa", "node.internal", os.uname().nodename, "worker-1.example.com:10112",
        "Worker-1.cluster.example.com", "worker-1.example.org", "lb.example.net", "status.example.com",
        "a.b.internal.example.com", None,
    ],
)  # fmt: skip
def test_addresses_own_names_and_private_ones_are_taken(hosts: Hosts, host: str | None) -> None:
    assert hosts.takes(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.com", "evil.com:10112", "10.0.0.5.evil.com", "localhost.evil.com", "svc.evil.com", "worker-1.evil.com",
        "worker-2.example.com", "status.example.com.evil.com", "internal.example.com", "local.com",
        "evil.com\x00.local", "", " ", "evil.com@10.0.0.5", "[evil.com]", "evil.com/.local", "a b.local", "-.evil.com",
    ],
)  # fmt: skip
def test_names_that_anybody_can_have_are_not(hosts: Hosts, host: str) -> None:
    assert not hosts.takes(host)


def test_any_name_is_taken_where_that_is_wanted(tmp_path: Path) -> None:
    assert Hosts(["*"], {}, str(tmp_path)).takes("evil.com")


def test_whatever_stands_at_the_files_of_names_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hosts")
    (tmp_path / "resolv.conf").mkdir()
    assert not Hosts([], {}, str(tmp_path)).takes("evil.com")
