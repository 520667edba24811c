"""One cluster for all tests of a module, and no excuse in CI."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from .cluster import Cluster, two_nodes
from .requirements import EXECUTABLE, missing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    """Two nodes with web services and a client; the executable is in their ConfigMaps, Keepalived is not running."""
    lack = missing()
    if lack and os.environ.get("CI"):
        pytest.fail(lack)
    elif lack:
        pytest.skip(lack)
    with two_nodes(executable()) as cluster:
        yield cluster


@pytest.fixture
def cluster(running: Cluster) -> Cluster:
    """The module's cluster, its ConfigMaps and web services as they were in the beginning."""
    for node in running.nodes:
        node.configmap.replace(executable())
        node.web.repair()
    return running


def executable() -> dict[str, bytes]:
    return {"hacheck": EXECUTABLE.read_bytes()}
