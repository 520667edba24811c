"""What hacheck.toml says of a track file is compared with what keepalived.conf makes of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from hachecks.agent.declared import checks_of
from hachecks.agent.tracked import Judged, judge
from hachecks.keepalived.configuration import read_configuration
from tests.agent.running import agent

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = 'vrrp_script guard {\n    script "sh /etc/keepalive/hacheck run vip"\n}\n'
FILE = 'track_file vip {{\n    file "{path}"\n    {weight}\n    init_file 1 overwrite\n}}\n'
INSTANCE = """vrrp_instance V {{
    interface lo0
    virtual_router_id 1
    priority 254
    {line}
    track_script {{
        guard
    }}
    track_file {{
        vip
    }}
    virtual_ipaddress {{
        10.0.0.1
    }}
}}
"""


def conf(directory: Path, weight: str = "weight 0", line: str = "") -> str:
    return SCRIPT + FILE.format(path=directory / "vip", weight=weight) + INSTANCE.format(line=line)


def toml(directory: Path, *lines: str) -> str:
    more = "".join(f"{line}\n" for line in lines)
    return f'[check.vip]\nprobe = "file"\npath = "{directory}/well"\ntrack_file = "{directory}/vip"\n{more}'


def judged(directory: Path, declared: str, text: str) -> Judged:
    (directory / "hacheck.toml").write_text(declared)
    (directory / "keepalived.conf").write_text(text)
    (check,) = checks_of(str(directory / "hacheck.toml"), {})
    return judge(check, read_configuration(str(directory / "keepalived.conf")))


RIGHT = [
    pytest.param([], "weight 0", id="fault"),
    pytest.param(["weight = -30"], "weight 1", id="weight"),
    pytest.param(["weight = -30"], "", id="weight-by-default"),
    pytest.param(['on_fail = "last-resort"'], "weight -110", id="last-resort"),
]


@pytest.mark.parametrize(("lines", "weight"), RIGHT)
def test_of_what_fits_nothing_is_said(tmp_path: Path, lines: list[str], weight: str) -> None:
    assert judged(tmp_path, toml(tmp_path, *lines), conf(tmp_path, weight)) == Judged()


WRONG = [
    pytest.param([], "", "a failure that is a FAULT needs weight 0 there, not 1", -254, id="fault-by-default"),
    pytest.param([], "weight -110", "a failure that is a FAULT needs weight 0 there, not -110", 3, id="fault-lowered"),
    pytest.param(["weight = -30"], "weight 0", "weight -30 needs weight 1 there, not 0", 1, id="weight-fault"),
    pytest.param(["weight = -30"], "weight -2", "weight -30 needs weight 1 there, not -2", 127, id="weight-twice"),
    pytest.param(['on_fail = "last-resort"'], "weight 0", "last-resort needs weight -N", 1, id="last-resort-fault"),
    pytest.param(['on_fail = "last-resort"'], "", "last-resort needs weight -N", -254, id="last-resort-raises"),
    pytest.param([], "weight 0 reverse", "reverse makes a FAULT of a check that is well", 1, id="reverse"),
]


@pytest.mark.parametrize(("lines", "weight", "told", "fault"), WRONG)
def test_a_number_that_would_do_otherwise_is_told_and_made_a_fault(
    tmp_path: Path, lines: list[str], weight: str, told: str, fault: int | None
) -> None:
    found = judged(tmp_path, toml(tmp_path, *lines), conf(tmp_path, weight))
    assert found.fault == fault
    assert [one for one in found.sentences if told in one] == list(found.sentences)
    instances = read_configuration(str(tmp_path / "keepalived.conf")).instances
    if "reverse" not in weight:
        assert instances[0].files[0].adds(fault or 0) <= -254


@pytest.mark.parametrize("line", ["weight = -30", 'on_fail = "last-resort"'])
def test_under_nopreempt_what_would_move_nothing_is_made_a_fault(tmp_path: Path, line: str) -> None:
    weight = "weight 1" if "weight" in line else "weight -110"
    found = judged(tmp_path, toml(tmp_path, line), conf(tmp_path, weight, "nopreempt"))
    assert len(found.sentences) == 1
    assert "moves nothing under nopreempt (V); a failure is made a FAULT" in found.sentences[0]
    assert found.fault == (-254 if "weight" in line else 3)


def changed(text: str, before: str, after: str) -> str:
    assert before in text
    return text.replace(before, after)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param("    init_file 1 overwrite\n", "", "vip has no init_file, and a missing file", id="no-init"),
        pytest.param("hacheck run vip", "hacheck run other", "V tracks no vrrp_script beside it", id="no-guard"),
        pytest.param("        vip\n", "", "no instance tracks vip", id="not-tracked"),
        pytest.param('/vip"', '/other"', "is that of no track_file in keepalived.conf", id="no-block"),
    ],
)
def test_what_is_missing_is_told_with_the_cure(tmp_path: Path, before: str, after: str, told: str) -> None:
    found = judged(tmp_path, toml(tmp_path), changed(conf(tmp_path), before, after))
    assert len(found.sentences) == 1
    assert found.sentences[0].startswith(f"[check.vip]: track_file {tmp_path}/vip")
    assert told in found.sentences[0]
    assert found.fault is None


def test_where_no_configuration_is_known_nothing_is_said(tmp_path: Path) -> None:
    assert judged(tmp_path, toml(tmp_path), "global_defs {\n}\n") == Judged()


def test_the_agent_writes_a_fault_in_place_of_it_until_keepalived_conf_is_mended(tmp_path: Path) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_text(conf(tmp_path, "weight 1"))
    words = ("--keepalived-config", str(file))
    with agent(toml(tmp_path, 'interval = "100ms"'), tmp_path, *words) as running:
        told = "a failure that is a FAULT needs weight 0 there, not 1; until then a failure is made a FAULT"
        running.until("it is told", lambda: any(told in line for line in list(running.lines)))
        assert any(told in one for one in running.status()["findings"])
        running.until("a failure is a FAULT", lambda: running.track_file("vip").split() == ["-254"])
        os.replace(_written(tmp_path / "new", conf(tmp_path, "weight 0")), file)
        running.until("it is as declared", lambda: running.track_file("vip").split() == ["1"])
        running.until("the finding is gone", lambda: not running.status()["findings"])
        (tmp_path / "well").touch()
        running.until("all is well", lambda: running.track_file("vip").split() == ["0"])


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
