"""Whatever is killed, each VIP ends on one healthy node, and nothing is lost or left behind."""

from __future__ import annotations

import os

import pytest

from .requirements import missing
from .soak import soaking

pytestmark = [pytest.mark.failover, pytest.mark.serial]

KILLS, SEED = 30, 3
"""So that there are rounds with a server that stays broken, and with an agent that stays away; `make soak` has more."""


def test_whatever_is_killed_each_vip_ends_on_one_healthy_node() -> None:
    lack = missing()
    if lack and os.environ.get("CI"):
        pytest.fail(lack)
    elif lack:
        pytest.skip(lack)
    with soaking(SEED, print) as soak:
        soak.run(KILLS)
    assert soak.kills == KILLS
