"""What a reload has taken out of the configuration is DELETED, and nothing else is."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from hachecks.transitions.taken_out import taken_out
from tests.events import event

if TYPE_CHECKING:
    from pathlib import Path

    from hachecks.transitions.event import Event

ONE = "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n  10.0.0.1/24\n }\n}\n"
TWO = ONE + ONE.replace("VI_1", "VI_2").replace("51", "52")
NOW = time.time()


def said(
    state: str = "FAULT", before: str | None = "MASTER", name: str = "VI_2", kind: str = "INSTANCE"
) -> list[Event]:
    since = NOW - 60 if before else None
    return [event("VI_1", "MASTER", None, at=NOW - 90), event(name, state, before, at=NOW, since=since, kind=kind)]


def names(events: list[Event], directory: Path, text: str, changed: float = NOW - 5) -> list[str]:
    path = directory / "keepalived.conf"
    path.write_text(text)
    os.utime(path, (changed, changed))
    return [one.name for one in taken_out(events, str(path))]


@pytest.mark.parametrize("state", ["FAULT", "STOP"])
def test_an_instance_that_is_not_configured_any_more_is_taken_out(tmp_path: Path, state: str) -> None:
    assert names(said(state), tmp_path, ONE) == ["VI_2"]
    assert names(said(state), tmp_path, TWO) == []


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(said("MASTER"), id="it-serves"),
        pytest.param(said("DELETED"), id="it-is-said-already"),
        pytest.param(said(kind="GROUP"), id="a-group"),
        pytest.param(said(before=None), id="never-heard-of-before"),
        pytest.param(said()[1:], id="none-of-what-is-configured-was-heard-of"),
    ],
)
def test_nothing_else_is(tmp_path: Path, events: list[Event]) -> None:
    assert names(events, tmp_path, ONE) == []


def test_a_file_older_than_what_was_said_is_not_keepalived_s(tmp_path: Path) -> None:
    assert names(said(), tmp_path, ONE, changed=NOW - 3600) == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(f"@node2 {ONE}\n{ONE}", id="conditions"),
        pytest.param(f"include /nowhere/*.conf\n{ONE}", id="an-include-that-is-missing"),
        pytest.param(ONE.replace("}", "", 1), id="half-written"),
    ],
)
def test_what_is_in_doubt_takes_nothing_out(tmp_path: Path, text: str) -> None:
    assert names(said(), tmp_path, text) == []


def test_without_a_configuration_nothing_is_taken_out(tmp_path: Path) -> None:
    assert taken_out(said(), str(tmp_path / "absent")) == []


def test_what_is_included_is_configured(tmp_path: Path) -> None:
    (tmp_path / "two.conf").write_text(TWO.removeprefix(ONE))
    assert names(said(), tmp_path, f"include {tmp_path}/two.conf\n{ONE}") == []
