"""What an instance tracks by files, and whether it takes VIPs back, as Keepalived reads it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from hachecks.keepalived.configuration import read_text
from hachecks.keepalived.track_files import FAULT, Tracked, TrackFile

if TYPE_CHECKING:
    from pathlib import Path

    from hachecks.keepalived.configuration import Configuration

INSTANCE = "interface lo0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}"


def conf(*blocks: str) -> Configuration:
    return read_text("\n".join(blocks))


def instance(*lines: str) -> str:
    inside = "\n".join(lines)
    return f"vrrp_instance V {{\n{INSTANCE}\n{inside}\n}}"


def test_a_track_file_is_read_with_its_weight_and_what_it_begins_with() -> None:
    found = conf(
        'track_file a {\nfile "/run/a"\nweight -20 reverse\ninit_file 1 overwrite\n}',
        "vrrp_track_file b {\nfile /run/b\nweight 0\ninit_file\n}",
        "track_file c {\nfile /run/c\n}",
    )
    assert found.track_files == (
        TrackFile("a", "/run/a", -20, True, 1, True),
        TrackFile("b", "/run/b", 0, False, 0, False),
        TrackFile("c", "/run/c", 1, False, None, False),
    )
    assert found.findings == ()


def test_an_instance_tracks_files_with_weights_of_its_own() -> None:
    found = conf("track_file a {\nfile /run/a\n}", instance("track_file {\na weight -80\n}"))
    (one,) = found.instances
    assert one.files == (Tracked(TrackFile("a", "/run/a", 1), -80),)
    assert one.files[0].adds(1) == -80


def test_a_sync_group_tracks_files_for_its_members() -> None:
    group = "vrrp_sync_group G {\ngroup {\nV\n}\ntrack_file {\na\n}\n}"
    (one,) = conf("track_file a {\nfile /run/a\nweight 0\n}", group, instance()).instances
    assert one.files == (Tracked(TrackFile("a", "/run/a", 0), 0, group=True),)


@pytest.mark.parametrize(
    ("weight", "reverse", "number", "added"),
    [
        pytest.param(1, False, -51, -51, id="as-it-is"),
        pytest.param(-60, False, 1, -60, id="times-the-weight"),
        pytest.param(-60, True, 1, 60, id="reversed"),
        pytest.param(0, False, 7, FAULT, id="fault-of-any-number"),
        pytest.param(0, False, 0, 0, id="no-fault-of-0"),
        pytest.param(0, True, 0, FAULT, id="fault-of-0"),
        pytest.param(-2, False, 127, -254, id="fault-by-its-size"),
    ],
)
def test_a_number_adds_to_the_priority(weight: int, reverse: bool, number: int, added: int) -> None:
    assert Tracked(TrackFile("a", "/run/a", weight, reverse), weight).adds(number) == added


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(instance("track_file {\nb\n}"), "no track_file b stands above V", id="not-there"),
        pytest.param(
            "track_file a {\nfile /run/a\n}\n" + instance("track_file {\na 5\n}"), "a 5 is passed over", id="odd-option"
        ),
        pytest.param(
            "track_file a {\nfile /run/a\n}\n" + instance("track_file {\na weight 300\n}"),
            "a weight 300: the weight is none of -254 to 254",
            id="odd-weight",
        ),
        pytest.param(
            "track_file a {\nfile /run/a\n}\n" + instance("track_file {\na\na\n}"), "V tracks a already", id="twice"
        ),
        pytest.param("track_file a {\nweight 1\n}", "track_file a names no file", id="no-file"),
        pytest.param("track_file a {\nfile /a\nweight x\n}", "weight x is none of -254 to 254", id="no-weight"),
        pytest.param("track_file {\nfile /a\n}", "a track_file has no name", id="no-name"),
        pytest.param(
            "track_file a {\nfile /a\n}\ntrack_file a {\nfile /b\n}", "track_file a is there already", id="same-name"
        ),
    ],
)
def test_what_is_passed_over_is_told(text: str, told: str) -> None:
    assert [one for one in read_text(text).findings if told in one]


@pytest.mark.parametrize(
    ("lines", "nopreempt", "delay"),
    [
        pytest.param(["nopreempt"], True, 0.0, id="nopreempt"),
        pytest.param(["state MASTER", "nopreempt"], False, 0.0, id="cleared-by-MASTER"),
        pytest.param(["preempt_delay 300"], False, 300.0, id="delay"),
        pytest.param(["preempt_delay 0.5"], False, 0.5, id="a-fraction"),
        pytest.param(["state MASTER", "preempt_delay 300"], False, 0.0, id="no-delay-for-MASTER"),
        pytest.param(["preempt_delay 5000"], False, 0.0, id="more-than-allowed"),
        pytest.param(["nopreempt", "preempt"], False, 0.0, id="preempt-after-it"),
        pytest.param([], False, 0.0, id="nothing"),
    ],
)
def test_preemption_is_as_it_counts(lines: list[str], nopreempt: bool, delay: float) -> None:
    (one,) = conf(instance(*lines)).instances
    assert (one.nopreempt, one.preempt_delay) == (nopreempt, delay)


def test_keepalived_itself_takes_these_blocks(tmp_path: Path) -> None:
    text = f'track_file a {{\nfile "{tmp_path}/a"\nweight -20\ninit_file 0\n}}\n' + instance(
        "state BACKUP", "priority 254", "track_file {\na weight -81\n}"
    ).replace("lo0", "lo")
    (tmp_path / "keepalived.conf").write_text(text)
    done = subprocess.run(
        ["keepalived", "--config-test", "-f", f"{tmp_path}/keepalived.conf"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "track" not in done.stderr
    assert read_text(text).instances[0].files[0].weight == -81
