"""What the kubelet makes of $(NAME), as its own tests have it, and that anything can be told so that it stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.ipfailover.expansion import expanded, literal
from tests.ipfailover.given import many

KNOWN = {"VAR_A": "A", "VAR_B": "B", "VAR_REF": "$(VAR_A)", "VAR_EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "there"),
    [
        # third_party/forked/golang/expansion/expand_test.go
        ("$(VAR_A)", "A"),
        ("___$(VAR_B)___", "___B___"),
        ("foo-$(VAR_EMPTY)-bar", "foo--bar"),
        ("$(VAR_REF)", "$(VAR_A)"),
        ("$(VAR_X)", "$(VAR_X)"),
        ("$$(VAR_A)", "$(VAR_A)"),
        ("$$$(VAR_A)", "$A"),
        ("$$$$(VAR_A)", "$$(VAR_A)"),
        ("$VAR_A", "$VAR_A"),
        ("\\$(VAR_A)", "\\A"),
        ("foo$(VAR_A", "foo$(VAR_A"),
        ("$(VAR_A))", "A)"),
        ("foo$", "foo$"),
        ("$($(VAR_B))", "$($(VAR_B))"),
    ],
)
def test_it_is_what_kubernetes_makes_of_it(text: str, there: str) -> None:
    assert expanded(text, KNOWN) == there


@many
@given(st.text(st.sampled_from("$(VAR_A) x"), max_size=24))
def test_whatever_is_told_literally_stays(text: str) -> None:
    assert expanded(literal(text), KNOWN) == text
