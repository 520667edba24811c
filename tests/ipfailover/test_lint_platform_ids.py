"""The ids of OpenShift's own Keepalived are computed as it computes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.ipfailover.lint.platform_ids import fletcher8, platform_ids
from tests.ipfailover.given import many


@pytest.mark.parametrize(
    ("cluster", "ids"),
    [
        # What vr-ids said in openshift/baremetal-runtimecfg#54, and a keepalived.conf in keepalived-operator#32.
        ("cnf10", {147: "the API", 2: "ingress"}),
        ("cnf11", {228: "the API", 147: "ingress"}),
        ("oc2-yw674", {1: "the API", 223: "ingress"}),
    ],
)
def test_the_ids_of_clusters_are_those_that_were_seen(cluster: str, ids: dict[int, str]) -> None:
    assert platform_ids(cluster) == ids


@many
@given(st.text(st.characters(min_codepoint=45, max_codepoint=122), max_size=60))
def test_the_checksum_is_two_sums_modulo_15_and_every_id_is_one(text: str) -> None:
    values = text.encode()
    # Each byte is in the second sum once for itself and once for each that follows.
    second = sum(value * (len(values) - index) for index, value in enumerate(values))
    assert fletcher8(text) == second % 15 << 4 | sum(values) % 15
    assert all(1 <= one <= 255 for one in platform_ids(text))
    assert len(platform_ids(text)) == 2
