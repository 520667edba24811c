"""What a keepalived.conf lets a drain do, and what it has to have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hachecks.drain.target import Target, drain_file, target_of
from hachecks.keepalived.configuration import read_configuration
from hachecks.keepalived.track_files import FAULT
from hachecks.settings import Invalid
from tests import nodes
from tests.drain.confs import conf_in

if TYPE_CHECKING:
    from pathlib import Path


def target(directory: Path, given: str = "") -> Target:
    return target_of(nodes.node_at(directory, keepalived_config=str(directory / "keepalived.conf")), given)


def written(directory: Path, weight: str, of_instance: str = "", more: str = "") -> Target:
    """The target of a file that somebody wrote by hand."""
    (directory / "keepalived.conf").write_text(
        f"track_file drain {{\nfile {directory}/drain\n{weight}\ninit_file 0\n}}\n"
        "vrrp_instance V {\ninterface lo0\nvirtual_router_id 1\npriority 200\n"
        f"virtual_ipaddress {{\n10.0.0.1\n}}\ntrack_file {{\ndrain{of_instance}\n}}\n}}\n{more}"
    )
    return target(directory)


@pytest.mark.parametrize("mode", ["preempt", "nopreempt", "preempt_delay 300"])
def test_what_is_rendered_can_be_drained(tmp_path: Path, mode: str) -> None:
    conf_in(tmp_path, PREEMPTION=mode)
    found = target(tmp_path)
    assert found.path == str(tmp_path / "drain")
    assert found.lowered == 1
    assert (found.nopreempt, found.delay) == (mode == "nopreempt", 300.0 if "300" in mode else 0.0)
    for instance in found.instances:
        (file,) = instance.files
        assert FAULT < file.adds(found.lowered) < 0
        assert file.adds(found.fault) <= FAULT


def test_the_only_node_can_be_drained_too(tmp_path: Path) -> None:
    conf_in(tmp_path, NODES="a")
    found = target(tmp_path)
    assert (found.lowered, found.fault) == (1, 254)


@pytest.mark.parametrize(
    ("weight", "of_instance", "lowered", "fault"),
    [
        pytest.param("", "", -253, -254, id="as-it-is"),
        pytest.param("weight 1", "", -253, -254, id="one"),
        pytest.param("weight 2", "", -126, -127, id="two"),
        pytest.param("weight -60", "", 1, 5, id="negative"),
        pytest.param("weight 60 reverse", "", 1, 5, id="reversed"),
        pytest.param("weight 0", " weight -20", 1, 13, id="of-the-instance"),
    ],
)
def test_a_file_by_hand_is_moved_by_the_number_that_its_weight_asks_for(
    tmp_path: Path, weight: str, of_instance: str, lowered: int, fault: int
) -> None:
    found = written(tmp_path, weight, of_instance)
    assert (found.lowered, found.fault) == (lowered, fault)
    file = found.instances[0].files[0]
    assert FAULT < file.adds(lowered) < 0
    assert file.adds(fault) <= FAULT


OTHER = "vrrp_instance W {{\ninterface lo0\nvirtual_router_id 2\nvirtual_ipaddress {{\n10.0.0.2\n}}\n{}\n}}"


@pytest.mark.parametrize(
    ("weight", "of_instance", "more", "told"),
    [
        pytest.param("weight 0", "", "", "with weight 0, so that a drain were a FAULT", id="a-fault"),
        pytest.param("weight -254", "", "", "weight 254 of drain makes a FAULT of any number", id="too-much"),
        pytest.param("weight 254", "", "", "weight 254 of drain makes a FAULT of any number", id="too-much-up"),
        pytest.param("", "", OTHER.format(""), "W does not track drain, and would not move", id="not-all"),
        pytest.param(
            "",
            "",
            OTHER.format("track_file {\ndrain weight -3\n}"),
            "has positive and negative weights",
            id="both-signs",
        ),
    ],
)
def test_what_would_not_move_is_refused_with_the_cure(
    tmp_path: Path, weight: str, of_instance: str, more: str, told: str
) -> None:
    with pytest.raises(Invalid, match=told) as error:
        written(tmp_path, weight, of_instance, more)
    assert str(error.value).endswith("render it by hacheck ipfailover render --drain-file /var/lib/hacheck/drain")
    assert "\n" not in str(error.value)


GROUP = "vrrp_sync_group G {\ngroup {\nV\nW\n}\n%s\n}\n" + OTHER.format("track_file {\ndrain\n}")


def test_in_a_sync_group_weights_have_to_be_asked_for(tmp_path: Path) -> None:
    assert written(tmp_path, "weight -20", "", GROUP % "sync_group_tracking_weight").lowered == 1
    with pytest.raises(Invalid, match="V is in the sync group G, where Keepalived ignores weights"):
        written(tmp_path, "weight -20", "", GROUP % "")


def test_the_owner_of_an_address_cannot_be_drained(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="W has priority 255, which nothing lowers"):
        written(tmp_path, "weight -20", "", OTHER.format("priority 255\ntrack_file {\ndrain\n}"))


def test_without_a_drain_file_it_is_said_how_to_have_one(tmp_path: Path) -> None:
    conf_in(tmp_path, DRAIN_FILE="")
    with pytest.raises(Invalid, match=r"there is no track_file by which the node could be drained; render it by"):
        target(tmp_path)


def test_a_file_that_is_not_tracked_is_none(tmp_path: Path) -> None:
    conf_in(tmp_path)
    with pytest.raises(Invalid, match="/elsewhere is the file of no track_file"):
        target(tmp_path, "/elsewhere")
    assert target(tmp_path, f"{tmp_path}/./drain").lowered == 1


@pytest.mark.parametrize("text", ["", "global_defs {\n}\n"])
def test_a_configuration_without_instances_has_nothing_to_drain(tmp_path: Path, text: str) -> None:
    (tmp_path / "keepalived.conf").write_text(text)
    with pytest.raises(Invalid):
        target(tmp_path)


def test_a_check_s_track_file_is_no_drain_file(tmp_path: Path) -> None:
    path = conf_in(tmp_path, DRAIN_FILE="", TRACK_FILE=f"{tmp_path}/vip")
    assert drain_file(read_configuration(str(path))) == ""
