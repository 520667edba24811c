"""Three nodes for each test that wants some, and no excuse in CI."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.failover.requirements import missing_command
from tests.ipfailover.cluster import Cluster, nodes
from tests.ipfailover.kube_api import KubeApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMANDS = ("ip", "keepalived", "nsenter", "setpriv", "unshare")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Three nodes and a client; Keepalived is not running."""
    lack = missing_command(*COMMANDS)
    if lack and os.environ.get("CI"):
        pytest.fail(lack)
    elif lack:
        pytest.skip(lack)
    with nodes(3) as found:
        yield found


@pytest.fixture
def api(tmp_path: Path) -> Iterator[KubeApi]:
    """A cluster's API with nothing in it."""
    account = tmp_path / "account"
    account.mkdir()
    with KubeApi(account).serving() as server:
        yield server
