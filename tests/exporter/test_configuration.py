"""The configuration in force is the one that Keepalived has, also while it is being written."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from hachecks.exporter.configuration import SETTLED_SECONDS, UNFINISHED_SECONDS, ConfigurationSource
from hachecks.exporter.source import SourceHealth
from tests.failover.namespace import wait_until
from tests.nodes import node_at

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = "vrrp_instance VI_1 {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n"


class Watched:
    """A source of a configuration in a file, and what it told."""

    def __init__(self, path: Path, **environ: str) -> None:
        self.path = path
        self.told: list[str] = []
        self.source = SourceHealth("configuration", self.told.append)
        self.configuration = ConfigurationSource(
            node_at(path.parent, environ, keepalived_config=str(path)), self.source
        )

    def after(self, text: str) -> list[str]:
        """The VIPs after a text was written."""
        self.path.write_text(text)
        return self.vips()

    def vips(self) -> list[str]:
        self.configuration.refresh()
        return [vip.address for one in self.configuration.configuration.instances for vip in one.addresses]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "keepalived.conf")


def test_a_block_that_is_open_when_we_start_is_served(watched: Watched) -> None:
    assert watched.after(WHOLE[:-2]) == ["10.0.0.1"]
    assert watched.source.up
    assert "a } is missing" in watched.configuration.configuration.findings[0]


def test_a_block_that_is_open_for_a_while_leaves_the_former_in_force(watched: Watched) -> None:
    watched.after(WHOLE)
    assert watched.after(WHOLE[:30]) == ["10.0.0.1"]
    assert "what was configured before is still served" in watched.source.trouble
    assert watched.after(WHOLE.replace("10.0.0.1", "10.0.0.2")) == ["10.0.0.2"]
    assert watched.source.up


def test_a_block_that_stays_open_counts_as_keepalived_takes_it(watched: Watched) -> None:
    watched.after(WHOLE)
    assert watched.after(WHOLE.replace("10.0.0.1", "10.0.0.2")[:-2]) == ["10.0.0.1"]
    wait_until("it counts", lambda: watched.vips() == ["10.0.0.2"], within=UNFINISHED_SECONDS + 20)
    assert watched.source.up
    assert "a } is missing" in watched.configuration.configuration.findings[0]


def test_what_is_written_while_it_is_read_is_read_the_next_time(watched: Watched) -> None:
    more = watched.path.with_name("more.conf")
    more.write_text("# nothing yet\n")
    watched.path.write_text(f"{WHOLE}include {more}\n")
    awaited = [more]

    def rewrite(event: str, words: tuple[object, ...]) -> None:
        if event == "open" and str(words[0]) == str(more) and awaited:
            awaited.clear()
            watched.path.write_text(f"{WHOLE}include {more}\n".replace("10.0.0.1", "10.0.0.2"))

    sys.addaudithook(rewrite)
    assert watched.vips() == ["10.0.0.1"]
    assert awaited == []
    assert watched.vips() == ["10.0.0.2"]


def test_what_is_written_in_the_same_step_of_the_clock_is_read_too(watched: Watched) -> None:
    for _ in range(100):
        now, found = time.time(), []
        for last in ("1", "2"):
            watched.path.write_text(WHOLE.replace("10.0.0.1", f"10.0.0.{last}"))
            os.utime(watched.path, (now, now))
            found += watched.vips()
        if time.time() - now < SETTLED_SECONDS:
            break
    assert found == ["10.0.0.1", "10.0.0.2"]


def test_what_has_not_changed_for_a_while_is_read_once(watched: Watched) -> None:
    watched.path.write_text(WHOLE)
    os.utime(watched.path, (1, 1))
    watched.vips()
    watched.vips()
    before = watched.source.last_success
    assert watched.vips() == ["10.0.0.1"]
    assert watched.source.last_success == before


def test_a_block_that_is_open_for_good_stays_served(watched: Watched) -> None:
    for _ in range(3):
        assert watched.after(WHOLE[:-2]) == ["10.0.0.1"]
        assert watched.source.up


def test_a_file_that_says_nothing_leaves_the_former_in_force(watched: Watched) -> None:
    watched.after(WHOLE)
    assert watched.after("") == ["10.0.0.1"]
    assert "it says nothing; is it half-written?; what was configured before is still served" in watched.source.trouble


def test_a_file_that_an_include_will_find_is_noticed(watched: Watched) -> None:
    assert watched.after("include more.conf\ninclude *.d/*\n") == []
    watched.path.with_name("more.conf").write_text(WHOLE)
    assert watched.vips() == ["10.0.0.1"]


def test_the_variables_of_openshift_count_until_there_is_a_file(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "keepalived.conf", OPENSHIFT_HA_VIRTUAL_IPS="10.0.0.9")
    assert watched.vips() == ["10.0.0.9"]
    assert watched.after(WHOLE) == ["10.0.0.1"]
