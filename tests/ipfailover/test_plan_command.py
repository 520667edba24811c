"""`hacheck ipfailover plan` from the outside: what it prints, its exit status, and what it writes."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
import yaml

from tests.cli import ROOT, Answer, hacheck

if TYPE_CHECKING:
    from pathlib import Path

DEPLOYMENT = ROOT / "tests" / "ipfailover-deployment.yaml"
ESCAPE = re.compile("\x1b\\[[0-9;]*m")
THREE = ("--virtual-ips", "10.0.0.1-3", "--nodes", "a,b,c", "--stock", "4.20")


def plan(*words: object, **environ: str) -> Answer:
    return hacheck("ipfailover", "plan", *words, timeout=60, **environ)


def piped(text: str, *words: str) -> Answer:
    """With this text on standard input."""
    command = [sys.executable, "-m", "hachecks", "ipfailover", "plan", *words]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, input=text, env=environ, capture_output=True, text=True, timeout=60, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


PLANNED = """\
ipf: 3 VIPs in 3 instances on 2 nodes, spread evenly; unicast, preempt_delay 60 s

VIP       INSTANCE   ID  MASTER          IF THAT IS LOST
10.0.0.1  ipf_VIP_1  11  10.0.1.1 (254)  10.0.1.2 (234)
10.0.0.2  ipf_VIP_2  13  10.0.1.2 (254)  10.0.1.1 (234)
fd00::1   ipf_VIP_3  14  10.0.1.1 (254)  10.0.1.2 (234)

LOST                   VIPS MOVED  VIPS BY NODE            BACK WITH nopreempt
nothing                0           10.0.1.1 2, 10.0.1.2 1
10.0.1.1               2           10.0.1.2 3              10.0.1.1 0, 10.0.1.2 3
10.0.1.2               1           10.0.1.1 3              10.0.1.1 3, 10.0.1.2 0
10.0.1.1 and 10.0.1.2  3           nobody has them         10.0.1.1 3, 10.0.1.2 0

Back with preempt: a node has its VIPs again at once.
Back with preempt_delay: a node has its VIPs again after 60 s (as configured).
Back with nopreempt: a node has no VIP until others are lost, or until all reload with preempt.
"""


def test_the_whole_plan_is_this() -> None:
    answer = plan(
        *("--virtual-ips", "10.0.0.1-2,fd00::1", "--unicast-peers", "10.0.1.1,10.0.1.2", "--config-name", "ipf"),
        *("--preemption-strategy", "preempt_delay 60", "--excluded-vrrp-ids", "12", "--stock", "4.20"),
    )
    assert answer == Answer(0, PLANNED, "")


def test_options_variables_and_env_files_say_the_same(tmp_path: Path) -> None:
    variables = {"OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1-3", "OPENSHIFT_HA_NODES": "a,b,c"}
    file = tmp_path / "ipf.env"
    file.write_text("".join(f"{name}={text}\n" for name, text in variables.items()))
    expected = plan(*THREE)
    assert expected.code == 0
    assert plan("--stock", "4.20", **variables) == expected
    assert plan("--stock", "4.20", "--env-file", file) == expected
    assert plan("--stock", "4.20", "--env-file", file, OPENSHIFT_HA_VIP_GROUPS="1") == expected


def test_a_deployment_is_read_from_a_file_and_from_a_pipe() -> None:
    answer = plan(DEPLOYMENT, "--nodes", "a,b")
    assert answer.code == 0
    assert "10.0.0.101  ipfailover_VIP_2  12  " in answer.out
    assert piped(DEPLOYMENT.read_text(), "-", "--nodes", "a,b") == answer


def test_nodes_are_read_as_oc_prints_them() -> None:
    assert piped("node/a\nnode/b\nnode/c\n", "--nodes-file", "-", *THREE[:2], *THREE[4:]) == plan(*THREE)


def test_router_and_geo_cache_are_planned_together(tmp_path: Path) -> None:
    names = {"router": "10.245.2.101-105", "geo": "10.245.3.101-105"}
    for name, vips in names.items():
        (tmp_path / name).write_text(f"OPENSHIFT_HA_CONFIG_NAME={name}\nOPENSHIFT_HA_VIRTUAL_IPS={vips}\n")
    files = [word for name in names for word in ("--env-file", str(tmp_path / name))]
    answer = plan(*files)
    assert (answer.code, answer.out) == (2, "")
    assert "geo: id 11 of 10.245.3.101 is the configuration router's on the same interface" in answer.err
    with (tmp_path / "geo").open("a") as file:
        file.write("OPENSHIFT_HA_VRRP_ID_OFFSET=20\n")
    answer = plan(*files)
    assert answer.code == 0
    assert "router_VIP_5  15" in answer.out
    assert "geo_VIP_1  21" in answer.out


def test_the_default_offset_is_told_where_nobody_named_a_version() -> None:
    told = "? ids begin after 10, as in OpenShift since 4.20; before, the stock image began after 0 (--stock 4.19)"
    assert told in plan(*THREE[:4]).out
    assert told not in plan(*THREE).out
    assert told not in plan(*THREE[:4], "--vrrp-id-offset", "10").out
    assert "OpenShift_IPFailover_VIP_1  1 " in plan(*THREE[:4], "--stock", "4.19").out


def test_json_has_the_plan_its_losses_and_where_each_setting_is_from() -> None:
    answer = plan(*THREE, "--format", "json", OPENSHIFT_HA_MONITOR_PORT="30060")
    (found,) = json.loads(answer.line)["configurations"]
    assert [one["id"] for one in found["instances"]] == [11, 12, 13]
    assert [one["lost"] for one in found["losses"]] == [["a"], ["b"], ["c"], ["a", "b"], ["a", "c"], ["b", "c"]]
    assert found["settings"]["OPENSHIFT_HA_VIRTUAL_IPS"]["from"] == "--virtual-ips"
    assert found["settings"]["OPENSHIFT_HA_MONITOR_PORT"] == {"value": 30060, "from": "OPENSHIFT_HA_MONITOR_PORT"}
    assert found["settings"]["OPENSHIFT_HA_CHECK_INTERVAL"] == {"value": 2, "from": "default"}


def test_a_ledger_keeps_ids_once_it_is_saved(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.json"
    answer = plan(*THREE, "--ledger", ledger)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"hacheck: {ledger}: there is no such ledger; name the right file, or begin one with --save\n"
    answer = plan(*THREE, "--ledger", ledger, "--save")
    assert answer.out.endswith(f"\n\n{ledger} has this plan now.\n")
    begun = ledger.read_text()
    two = ("--virtual-ips", "10.0.0.3,10.0.0.1", *THREE[2:])
    answer = plan(*two, "--ledger", ledger)
    assert "10.0.0.3  OpenShift_IPFailover_VIP_3  13" in answer.out
    assert answer.out.endswith(f"{ledger} differs from this plan; --save writes it.\n")
    assert ledger.read_text() == begun
    assert plan(*two, "--ledger", ledger, "--save").code == 0
    answer = plan(*two, "--ledger", ledger)
    assert answer.out.endswith(f"{ledger} has this plan already.\n")
    more = ("--virtual-ips", "10.0.0.3,10.0.0.1,10.0.0.9", *THREE[2:])
    assert "10.0.0.9  OpenShift_IPFailover_VIP_4  14" in plan(*more, "--ledger", ledger).out
    assert "10.0.0.9  OpenShift_IPFailover_VIP_2  12" in plan(*more, "--ledger", ledger, "--rolled-out").out
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.json"]


def test_a_ledger_that_is_a_link_keeps_its_mode_and_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    assert plan(*THREE, "--ledger", real, "--save").code == 0
    real.chmod(0o600)
    link.symlink_to(real)
    assert plan(*THREE[2:], "--virtual-ips", "10.0.0.1", "--ledger", link, "--save").code == 0
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert "10.0.0.3" in real.read_text()  # it rests


def test_against_an_older_plan_exits_1_where_something_moves_and_saves_nothing(tmp_path: Path) -> None:
    old, ledger = tmp_path / "old.json", tmp_path / "ledger.json"
    old.write_text(plan(*THREE, "--format", "json").out)
    same = plan(*THREE, "--against", old)
    assert (same.code, same.out.splitlines()[-1]) == (0, "Against the old plan nothing changes.")
    fewer = ("--virtual-ips", "10.0.0.1,10.0.0.3", *THREE[2:])
    answer = plan(*fewer, "--against", old, "--ledger", ledger, "--save")
    assert answer.code == 1
    assert "10.0.0.3  renumbers     from id 13 to 12\n" in answer.out
    assert "10.0.0.3  served twice  until every node has the new plan, since its id was 13 and is 12\n" in answer.out
    assert "is left as it was, since something moves; without --against it is saved" in answer.err
    assert not ledger.exists()
    changes = json.loads(plan(*fewer, "--against", old, "--format", "json").line)["changes"]
    assert {one["kind"] for one in changes} >= {"renumbers", "served twice", "removed"}


def test_with_the_ledger_removing_a_vip_from_the_middle_renumbers_nothing(tmp_path: Path) -> None:
    old, ledger = tmp_path / "old.json", tmp_path / "ledger.json"
    seven = ("--virtual-ips", "10.0.0.1-7", *THREE[2:], "--ledger", ledger, "--save")
    old.write_text(plan(*seven, "--format", "json").out)
    answer = plan("--virtual-ips", "10.0.0.1-3,10.0.0.5-7", *THREE[2:], "--ledger", ledger, "--against", old)
    kinds = {line.split()[1] for line in answer.out.split("VIP       CHANGE")[1].splitlines()[1:] if line[:3] == "10."}
    assert "removed" in kinds
    assert not kinds & {"renumbers", "served"}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        pytest.param([], "OpenShift-IPFailover: no VIP is named; set OPENSHIFT_HA_VIRTUAL_IPS", id="nothing"),
        pytest.param(
            ["--virtual-ips", "10.0.0.1/24"], "--virtual-ips: item 1, '10.0.0.1/24': write 10.0.0.1", id="vip"
        ),
        pytest.param(["--virtual-ips", " "], "nothing is given", id="blank"),
        pytest.param([*THREE, "--nodes-file", "x"], "name the nodes twice; name them once", id="nodes-twice"),
        pytest.param([*THREE, "--save"], "--save needs --ledger", id="save"),
        pytest.param([*THREE, "--rolled-out"], "--rolled-out needs --ledger", id="rolled-out"),
        pytest.param([*THREE, "--stock", "4"], "'4' is no version of OpenShift", id="version"),
        pytest.param([*THREE, "--against", "/nonexistent"], "/nonexistent: No such file or directory", id="no-old"),
        pytest.param([*THREE, "--ledger", "/proc/nonexistent/x", "--save"], "/proc/nonexistent/x: ", id="no-directory"),
        pytest.param(["/"], "/: Is a directory; name a file", id="directory"),
        pytest.param(["-", "--env-file", "-"], "no DaemonSet, Deployment", id="empty-input"),
        pytest.param(["--env-file", "-", "--env-file", "-"], "standard input is read once only", id="input-twice"),
        pytest.param([*THREE, "--spread", "odd"], "'odd' is none of even, hash", id="spread"),
    ],
)
def test_bad_input_is_one_line_and_nothing_on_standard_output(words: list[str], complaint: str) -> None:
    answer = piped("", *words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.count("\n") == 1
    assert complaint in answer.err


def without_yaml(*words: object) -> Answer:
    """As where hachecks is installed without what its extra [agent] brings."""
    script = "import sys; sys.modules['yaml'] = None; from hachecks.cli import main; main()"
    command = [sys.executable, "-c", script, "ipfailover", "plan", *map(str, words)]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


def test_only_files_in_yaml_need_the_package_for_it(tmp_path: Path) -> None:
    assert without_yaml(*THREE) == plan(*THREE)
    answer = without_yaml(DEPLOYMENT)
    assert (answer.code, answer.out) == (2, "")
    assert "ipfailover plan: it needs the package hachecks[agent]: pip install 'hachecks[agent]'" in answer.err
    variables = {"OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1"}
    (tmp_path / "map.json").write_text(json.dumps({"kind": "ConfigMap", "data": variables}))
    assert without_yaml(tmp_path / "map.json").code == 0


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"kind: \xff")
    answer = plan(tmp_path / "x")
    assert answer == Answer(2, "", f"hacheck: {tmp_path}/x: byte 6 is no UTF-8; name a text file\n")


def test_control_characters_are_spelled_out() -> None:
    answer = plan("--virtual-ips", "10.0.0.1\x1b[2J")
    assert "\x1b" not in answer.err + answer.out


@pytest.mark.parametrize("form", ["table", "json"])
def test_many_nodes_are_summed_up_and_255_vips_are_all_shown(form: str) -> None:
    nodes = ",".join(f"node-{number}" for number in range(50))
    answer = plan("--virtual-ips", "10.0.0.1-255", "--vrrp-id-offset", "0", "--nodes", nodes, "--format", form)
    assert answer.code == 0
    assert answer.out.count("10.0.0.255") >= 1
    assert form == "json" or "the worst of 1225 pairs" in answer.out
    assert form == "json" or len(answer.out.splitlines()) < 330


@pytest.mark.parametrize("choice", ["always", "never"])
def test_colours_change_no_column(choice: str) -> None:
    old = plan(*THREE)
    painted = plan(*THREE, "--color", choice)
    assert (painted.code, painted.err) == (0, "")
    assert ("\x1b[1;36m" in painted.out) == (choice == "always")
    assert ESCAPE.sub("", painted.out) == old.out
    assert not re.search(r" +\x1b\[0m", painted.out)


def on_terminal(*words: str, **environ: str) -> str:
    """What a person sees on a terminal of their own."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "hachecks", "ipfailover", "plan", *THREE, *words]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environ}
    process = subprocess.Popen(command, env=environ, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    shown = b""
    try:
        while part := os.read(master, 65536):
            shown += part
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(master)
    assert process.wait(60) == 0
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("words", "environ", "painted"),
    [
        pytest.param([], {}, True, id="terminal"),
        pytest.param([], {"NO_COLOR": "1"}, False, id="no-color"),
        pytest.param([], {"NO_COLOR": ""}, True, id="no-color-empty"),
        pytest.param([], {"TERM": "dumb"}, False, id="dumb"),
        pytest.param(["--color", "never"], {}, False, id="never"),
        pytest.param(["--color", "always"], {"NO_COLOR": "1", "TERM": "dumb"}, True, id="always"),
        pytest.param(["--format", "json"], {}, False, id="json"),
        pytest.param(["--format", "svg"], {}, False, id="svg"),
    ],
)
def test_a_terminal_has_colours_unless_its_owner_minds(
    words: list[str], environ: dict[str, str], painted: bool
) -> None:
    shown = on_terminal(*words, **environ)
    assert ("\x1b[" in shown) == painted
    if not words or "--color" in words:
        assert ESCAPE.sub("", shown) == plan(*THREE).out


def test_colours_are_the_table_s() -> None:
    answer = plan(*THREE, "--color", "always", "--format", "json")
    assert (answer.code, answer.out) == (2, "")
    assert "--color is for --format table, not json" in answer.err


def test_what_is_served_twice_is_alarming_and_what_is_added_is_not(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text(plan(*THREE, "--format", "json").out)
    answer = plan("--virtual-ips", "10.0.0.2-4", *THREE[2:], "--against", old, "--color", "always")
    assert "\x1b[1;31mserved twice\x1b[0m  until" in answer.out
    assert "\x1b[32madded\x1b[0m         it is new" in answer.out
    assert "\x1b[33mremoved\x1b[0m       it is served no more" in answer.out


def test_a_picture_is_printed_whole(tmp_path: Path) -> None:
    answer = plan(*THREE, "--format", "svg")
    assert (answer.code, answer.err) == (0, "")
    root = ElementTree.fromstring(answer.out)
    assert root.get("role") == "img"
    old = tmp_path / "old.json"
    old.write_text(plan(*THREE, "--format", "json").out)
    moved = plan("--virtual-ips", "10.0.0.2-4", *THREE[2:], "--against", old, "--format", "svg")
    assert moved.code == 1
    assert "served twice" in moved.out


def test_a_ledger_in_a_config_map_is_begun_kept_and_applied_as_one(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.yaml"
    answer = plan(*THREE, "--ledger", ledger, "--save")
    assert answer.out.endswith(f"\n\n{ledger} has this plan now.\n")
    ledger.write_text(ledger.read_text().replace("ipfailover-ledger", "mine") + "  other: kept\n")
    two = ("--virtual-ips", "10.0.0.1,10.0.0.3", *THREE[2:], "--ledger", ledger)
    assert "10.0.0.3  OpenShift_IPFailover_VIP_3  13" in plan(*two).out
    assert plan(*two, "--save").code == 0
    assert plan(*two).out.endswith(f"{ledger} has this plan already.\n")
    document = yaml.safe_load(ledger.read_text())
    assert (document["metadata"], document["data"]["other"]) == ({"name": "mine"}, "kept")
    (configuration,) = json.loads(document["data"]["ledger.json"])["configurations"].values()
    assert configuration["instances"][1]["resting"] == ["10.0.0.2"]


def test_an_empty_ledger_in_a_config_map_is_begun_with_save_alone(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.yaml"
    ledger.write_text("kind: ConfigMap\ndata:\n  ledger.json: ''\n")
    assert "there is no such ledger" in plan(*THREE, "--ledger", ledger).err
    assert plan(*THREE, "--ledger", ledger, "--save").code == 0
    assert ledger.read_text().startswith('kind: ConfigMap\ndata:\n  ledger.json: |\n    {"hachecks_ipfailover_ledger"')


def test_a_file_of_something_else_is_no_ledger_and_stays_as_it_is(tmp_path: Path) -> None:
    deployment = tmp_path / "deployment.yaml"
    deployment.write_bytes(DEPLOYMENT.read_bytes())
    answer = plan(*THREE, "--ledger", deployment, "--save")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"hacheck: {deployment}: it is a Deployment, and no ConfigMap nor a ledger; ")
    assert deployment.read_bytes() == DEPLOYMENT.read_bytes()


def test_a_ledger_that_is_json_needs_no_yaml(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.json"
    assert without_yaml(*THREE, "--ledger", ledger, "--save").code == 0
    assert without_yaml(*THREE, "--ledger", ledger).code == 0
    ledger.write_text(json.dumps({"kind": "ConfigMap", "data": {"ledger.json": ledger.read_text()}}))
    assert without_yaml(*THREE, "--ledger", ledger).code == 0


def test_the_picture_in_the_documentation_is_what_the_command_beside_it_prints() -> None:
    text = (ROOT / "docs" / "ipfailover.md").read_text()
    found = re.search(r"^hacheck (ipfailover plan .*) > plan\.svg$", text.replace("\\\n", " "), re.MULTILINE)
    assert found
    assert (ROOT / "docs" / "plan.svg").read_text() == hacheck(*found[1].split(), timeout=60).out
