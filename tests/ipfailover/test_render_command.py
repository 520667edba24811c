"""`hacheck ipfailover render` prints one file or writes those of all nodes, and nothing where anything is refused."""

from __future__ import annotations

import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli import ROOT, hacheck
from tests.ipfailover.rendering import render

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli import Answer

VIPS = ("--virtual-ips", "10.0.0.1-3", "--interface", "eth0")
DEPLOYMENTS = """
apiVersion: v1
kind: List
items:
- kind: ConfigMap
  metadata: {name: router}
  data: {OPENSHIFT_HA_CONFIG_NAME: router, OPENSHIFT_HA_VIRTUAL_IPS: 10.0.0.1-2, OPENSHIFT_HA_VRRP_ID_OFFSET: "0"}
- kind: ConfigMap
  metadata: {name: geo}
  data:
    OPENSHIFT_HA_CONFIG_NAME: geo
    OPENSHIFT_HA_VIRTUAL_IPS: 10.0.1.1
    OPENSHIFT_HA_VRRP_ID_OFFSET: "10"
    OPENSHIFT_HA_VERBATIM: |
      garp_master_delay 3
      track_interface {
          eth1
      }
"""


def rendering(*words: object, **environ: Any) -> Answer:
    """The command with these words."""
    return hacheck("ipfailover", "render", *words, **environ)


def refused(answer: Answer) -> str:
    """What a refusal says; it is one line, and nothing else is said."""
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("hacheck: ")
    assert answer.err.count("\n") == 1
    return answer.err


def test_one_file_is_printed() -> None:
    answer = rendering("--node", "b", OPENSHIFT_HA_VIRTUAL_IPS="10.0.0.1", OPENSHIFT_HA_NODES="a,b",
                       OPENSHIFT_HA_NETWORK_INTERFACE="eth0", OPENSHIFT_HA_VRRP_ID_OFFSET="10")  # fmt: skip
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == render({"NODES": "a,b", "VRRP_ID_OFFSET": "10"}, "b")


DOCUMENTS = ["render --node a", "plan --format json", "plan --format svg", "lint --format json", "lint --format sarif"]


@pytest.mark.parametrize("words", DOCUMENTS)
def test_a_document_that_could_not_be_printed_as_a_whole_is_told(words: str) -> None:
    argv = [sys.executable, "-m", "hachecks", "ipfailover", *words.split(), *VIPS]
    with open("/dev/full", "w") as full:
        done = subprocess.run(argv, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "hacheck: standard output: No space left on device; what it has is no whole file, throw it away\n"
    )


def test_all_files_are_written(tmp_path: Path) -> None:
    answer = rendering(*VIPS, "--nodes", "a,b", "--output", tmp_path / "new")
    assert (answer.code, answer.out) == (0, f"{tmp_path}/new has the files of 2 nodes now\n")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.conf", "b.conf"]
    for node in "ab":
        printed = rendering(*VIPS, "--nodes", "a,b", "--node", node)
        assert (tmp_path / "new" / f"{node}.conf").read_text() == printed.out
        assert stat.S_IMODE((tmp_path / "new" / f"{node}.conf").stat().st_mode) == 0o644


def test_a_file_is_replaced_whole_and_one_of_a_node_that_is_gone_is_told(tmp_path: Path) -> None:
    rendering(*VIPS, "--nodes", "a,b", "--output", tmp_path)
    before = (tmp_path / "a.conf").stat().st_ino
    (tmp_path / "other.conf").write_text("! of somebody else\n")
    answer = rendering(*VIPS, "--nodes", "a,c", "--output", tmp_path)
    assert answer.code == 0
    assert (tmp_path / "a.conf").stat().st_ino != before
    assert f"{tmp_path}/b.conf is of no node of this plan" in answer.err
    assert "other.conf" not in answer.err


def test_nothing_is_written_where_one_file_is_refused(tmp_path: Path) -> None:
    answer = rendering(
        *VIPS, "--nodes", "a,b,10.9.0.1", "--unicast-peers", "10.9.0.1,10.9.0.2,10.9.0.3", "--output", tmp_path
    )
    assert "a: unicast needs the node's own address" in refused(answer)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_where_a_directory_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "b.conf").mkdir()
    assert "name a directory that this user may write" in refused(
        rendering(*VIPS, "--nodes", "b", "--output", tmp_path)
    )
    assert [path.name for path in tmp_path.iterdir()] == ["b.conf"]
    (tmp_path / "file").write_text("")
    assert "name a directory" in refused(rendering(*VIPS, "--nodes", "b", "--output", tmp_path / "file"))


def test_configurations_have_directories_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(DEPLOYMENTS)
    words = (tmp_path / "all.yaml", "--interface", "eth0", "--nodes", "a,b")
    assert rendering(*words, "--output", tmp_path / "to").code == 0
    found = sorted(str(path.relative_to(tmp_path / "to")) for path in (tmp_path / "to").rglob("*.conf"))
    assert found == ["geo/a.conf", "geo/b.conf", "router/a.conf", "router/b.conf"]
    geo = (tmp_path / "to/geo/a.conf").read_text()
    assert "    track_interface {\n        eth1\n    }\n" in geo
    assert "virtual_router_id 11" in geo
    assert "these are 2 configurations" in refused(rendering(*words, "--node", "a"))


def test_ids_are_those_of_the_ledger_which_is_not_written(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    hacheck("ipfailover", "plan", *VIPS, "--nodes", "a,b", "--ledger", ledger, "--save")
    before = ledger.read_text()
    answer = rendering(
        "--virtual-ips", "10.0.0.3,10.0.0.9", *VIPS[2:], "--nodes", "a", "--node", "a", "--ledger", ledger
    )
    assert answer.code == 0
    third = answer.out[answer.out.index("vrrp_instance OpenShift_IPFailover_VIP_3 {") :]
    assert "virtual_router_id 13" in third
    assert "10.0.0.3/32" in third
    assert ledger.read_text() == before
    assert "it does not have this plan yet; save it by plan --save" in answer.err
    assert "it does not have this plan yet" in answer.out
    assert "does not have" not in rendering(*VIPS, "--nodes", "a,b", "--node", "a", "--ledger", ledger).err
    assert "there is no such ledger" in refused(rendering(*VIPS, "--node", "a", "--ledger", tmp_path / "none"))


def test_a_password_is_read_from_its_file_and_the_rendered_file_is_for_its_owner(tmp_path: Path) -> None:
    (tmp_path / "pass").write_text("geheim7\n")
    answer = rendering(*VIPS, "--nodes", "a", "--auth-pass-file", tmp_path / "pass", "--output", tmp_path / "to")
    assert answer.code == 0
    assert "auth_pass geheim7\n" in (tmp_path / "to/a.conf").read_text()
    assert stat.S_IMODE((tmp_path / "to/a.conf").stat().st_mode) == 0o600
    missing = rendering(*VIPS, "--nodes", "a", "--auth-pass-file", tmp_path / "none", "--node", "a")
    assert "--auth-pass-file: cannot read" in refused(missing)


@pytest.mark.parametrize(
    ("words", "version"),
    [
        ((), "2.2.7"),
        (("--stock", "4.14"), "2.1.5"),
        (("--stock", "4.15"), "2.2.8"),
        (("--keepalived-version", "2.4.3", "--stock", "4.14"), "2.4.3"),
    ],
)
def test_the_version_is_the_stock_images_where_it_is_told(words: tuple[str, ...], version: str) -> None:
    assert f", for Keepalived {version}.\n" in rendering(*VIPS, "--node", "a", *words).out


def test_the_version_of_an_image_in_a_file_counts(tmp_path: Path) -> None:
    (tmp_path / "deploy.yaml").write_text(
        "kind: Deployment\nspec: {template: {spec: {containers: [{name: a, image: 'x/ose-keepalived-ipfailover:v4.12',"
        " env: [{name: OPENSHIFT_HA_VIRTUAL_IPS, value: 10.0.0.1}]}]}}}\n"
    )
    answer = rendering(tmp_path / "deploy.yaml", "--interface", "eth0", "--node", "a")
    assert ", for Keepalived 2.1.5.\n" in answer.out


def test_what_a_reader_should_know_is_told_once(tmp_path: Path) -> None:
    answer = rendering(*VIPS, "--nodes", "a,b,c", "--preemption-strategy", "preempt 300", "--output", tmp_path)
    assert answer.err.count("Keepalived ignores the number") == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "give --node for one file, or --output for those of all nodes"),
        (("--node", "a", "--output", "x"), "give --node for one file, or --output for those of all nodes"),
        (("--output", "x"), "--output: nobody names the nodes; give --nodes, or --node for one file"),
        (("--nodes", "a,b", "--node", "c"), "c is none of the plan's nodes and must not take part"),
        (("--nodes", "a,b", "--multicast-source", "10.9.0.1", "--output", "x"), "10.9.0.1 is one node's own"),
        (("--node", "a", "--range-check", "x"), "--range-check: x is no check of a range; expected N=COMMAND"),
        (("--node", "a", "--range-check", "0=x"), "--range-check: 0=x is no check of a range"),
        (("--node", "a", "--range-check", "2=x"), "--range-check 2: there is no item 2"),
        (("--node", "a", "--keepalived-version", "2.0.20"), "2.0.20 is older than 2.1.5"),
        (("--node", "a", "--track-file", "run/a"), "--track-file: 'run/a' is no absolute path"),
        (("--node", "a", "--on-fail", "shrug"), "--on-fail: 'shrug' is not fault or last-resort"),
        (("--node", "a", "--vrrp-version", "1"), "--vrrp-version: 1 is not 2 to 3"),
        (("--node", "a", "--advert-int", "0.001"), "--advert-int: '0.001' is no number from 0.01 to 255"),
        (("--node", "a", "--verbatim", "no_accept\x07"), "line 1 has a character that cannot be printed"),
    ],
)
def test_what_cannot_be_understood_is_refused(words: tuple[str, ...], complaint: str) -> None:
    assert complaint in refused(rendering(*VIPS, "--vrrp-id-offset", "0", *words))


def test_a_check_of_a_range_may_be_an_option_or_a_variable() -> None:
    by_option = rendering(*VIPS, "--node", "a", "--range-check", "1=/x --a=b")
    by_variable = rendering(*VIPS, "--node", "a", OPENSHIFT_HA_CHECK_SCRIPT_1="/x --a=b")
    for answer in (by_option, by_variable):
        assert '    script "env /x --a=b"' in answer.out


def test_no_shell_sees_a_value(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for name in (
        "CHECK_SCRIPT",
        "NOTIFY_SCRIPT",
        "CONFIG_NAME",
        "VERBATIM",
        "TRACK_FILE",
        "ADVERT_INT",
        "CHECK_SCRIPT_1",
    ):
        rendering(*VIPS, "--node", "a", **{f"OPENSHIFT_HA_{name}": f"$(touch {mark})"})
    assert not mark.exists()


def test_the_example_of_the_documentation_is_what_comes_of_its_commands(tmp_path: Path) -> None:
    page = (ROOT / "docs/ipfailover.md").read_text().split("## From the plan to keepalived.conf")[1]
    commands, instance = page.split("```\n")[1:4:2]
    plan, render_all, _ = commands.replace("\\\n", "").splitlines()
    for command in (plan, render_all):
        words = command.replace("ledger.json", f"{tmp_path}/ledger.json").replace(
            "--output conf", f"--output {tmp_path}"
        )
        assert hacheck(*words.split()[1:]).code == 0
    assert instance.replace("    ...\n", "") in (tmp_path / "node-2.conf").read_text()
