"""Of what `hacheck ipfailover render` writes lint says only what was asked for, node by node and of all at once."""

from __future__ import annotations

import pytest

from hachecks.ipfailover.render import Options, rendered
from tests.ipfailover.linting import Given
from tests.ipfailover.rendering import CASES, PEERS, planned

ASKED_FOR = {
    "no check": {"HA240"},
    "a drain file, and nothing that is checked": {"HA240"},
    "VRRP 3, fast": {"HA224"},
    "VRRP 3": {"HA224"},
    "IPv6, fast": {"HA224"},
}
ONE_FAILURE = "HA245"
"""The default of fall is the stock image's, and that is told."""


def codes(*files: str) -> set[str]:
    return Given(confs=files).codes() - {ONE_FAILURE}


@pytest.mark.parametrize("case", CASES)
def test_of_a_rendered_file_only_that_is_said_which_was_asked_for(case: str) -> None:
    short, node, options = CASES[case]
    plan, settings = planned(short)
    assert codes(rendered(plan, settings, node, options)) == ASKED_FOR.get(case, set())


@pytest.mark.parametrize(
    "short",
    [
        {"NODES": "a,b,c"},
        {"UNICAST_PEERS": PEERS},
        {"NODES": "a,b,c", "VIP_GROUPS": "2"},
        {"NODES": "a,b,c", "VRRP_VERSION": "3", "ADVERT_INT": "0.5"},
        {"NODES": "a,b,c", "ON_FAIL": "last-resort"},
        {"NODES": "a,b,c", "VIRTUAL_IPS": "10.0.0.1-3,fd00::1-3"},
    ],
    ids=str,
)
def test_the_files_of_all_nodes_go_together(short: dict[str, str]) -> None:
    plan, settings = planned({"VIRTUAL_IPS": "10.0.0.1-7", "CHECK_FALL": "2", **short})
    files = [rendered(plan, settings, node, Options()) for node in plan.nodes]
    assert len(files) == 3
    assert Given(confs=tuple(files)).findings() == []
    assert codes(files[0], files[1].replace("virtual_router_id 12\n", "virtual_router_id 99\n")) == {"HA309"}
