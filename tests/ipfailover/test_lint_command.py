"""`hacheck ipfailover lint` from the outside: what it reads and prints in each format, and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hachecks.ipfailover.lint.catalogue import PARTS, RULES, rules_of
from tests.cli import ROOT, Answer, hacheck
from tests.ipfailover.linting import GOOD_CONF, changed

if TYPE_CHECKING:
    from pathlib import Path

DEPLOYMENT = ROOT / "tests" / "ipfailover-deployment.yaml"
GOOD = ROOT / "tests" / "ipfailover-deployment-good.yaml"
VIPS = ("--virtual-ips", "10.0.0.1", "--interface", "br-ex", "--vrrp-id-offset", "10")
SERVICE = "kind: Service\nmetadata: {name: web}\nspec:\n  externalIPs:\n    - 10.0.0.9\n"


def lint(*words: object, **environ: str) -> Answer:
    return hacheck("ipfailover", "lint", *words, timeout=60, **environ)


def piped(text: str, *words: str) -> Answer:
    """With this text on standard input."""
    command = [sys.executable, "-m", "hachecks", "ipfailover", "lint", *words]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, input=text, env=environ, capture_output=True, text=True, timeout=60, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


def test_of_what_is_right_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "keepalived.conf").write_text(GOOD_CONF)
    assert lint(GOOD) == Answer(0, "", "")
    assert lint(tmp_path / "keepalived.conf") == Answer(0, "", "")
    assert lint(GOOD, tmp_path / "keepalived.conf", "--fail-on", "note") == Answer(0, "", "")
    assert lint(*VIPS) == Answer(0, "", "")


def test_of_what_is_right_programs_read_an_empty_document() -> None:
    assert lint(GOOD, "--format", "json").out == '{"hachecks_ipfailover_lint": 1, "findings": []}\n'
    assert lint(GOOD, "--format", "github") == Answer(0, "", "")
    (run,) = json.loads(lint(GOOD, "--format", "sarif").out)["runs"]
    assert run["results"] == []
    assert len(run["tool"]["driver"]["rules"]) == len(RULES)


def test_each_finding_is_a_line_with_place_severity_code_and_cure() -> None:
    answer = lint(DEPLOYMENT)
    assert (answer.code, answer.err) == (1, "")
    line = next(line for line in answer.out.splitlines() if "HA120" in line)
    number = 1 + DEPLOYMENT.read_text().splitlines().index("              command:")
    place = f"{DEPLOYMENT}:{number}: Deployment ipfailover-keepalived: livenessProbe"
    assert line == (
        f"{place}: warning HA120: pgrep keepalived finds "
        "a process that serves no VIP too; ask in a readinessProbe what the check asks, and leave liveness to "
        "Keepalived's own end"
    )


@pytest.mark.parametrize(("fail_on", "code"), [("error", 0), ("warning", 1), ("note", 1), ("never", 0)], ids=str)
def test_the_exit_status_is_of_the_worst_finding(fail_on: str, code: int) -> None:
    answer = lint("--virtual-ips", "10.0.0.1", "--interface", "br-ex", "--fail-on", fail_on)
    assert answer.code == code
    assert [line.split(": ")[1] for line in answer.out.splitlines()] == ["warning HA007"]


def test_without_being_told_a_warning_fails_and_a_note_does_not() -> None:
    assert lint(DEPLOYMENT).code == 1
    noted = lint(*VIPS, "--interface", "ens3", "--stock", "4.20", "--preemption-strategy", "nopreempt")
    assert (noted.code, " note HA141: " in noted.out) == (0, True)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        pytest.param((), "there is no OPENSHIFT_HA_* variable; name a FILE, or - for standard input", id="nothing"),
        pytest.param(("/nonexistent",), "/nonexistent: No such file", id="no-file"),
        pytest.param((os.devnull,), "no Kubernetes object is in it, and it is no keepalived.conf", id="nothing-in-it"),
        pytest.param((ROOT / "configmaps" / "kustomization.yaml",), "no OPENSHIFT_HA_* variable, no", id="other-yaml"),
        pytest.param(("--keepalived-conf", "/nonexistent"), "/nonexistent cannot be read", id="no-conf"),
        pytest.param(("--keepalived-conf", "/dev/null"), "/dev/null is no regular file", id="no-regular-conf"),
        pytest.param((str(ROOT / "LICENSE"),), "LICENSE: this is no", id="no-yaml"),
        pytest.param(("--explain", "HA9O7"), "there is no finding HA9O7; did you mean HA", id="no-code"),
        pytest.param((*VIPS, "--stock", "6"), "is no version of OpenShift", id="no-version"),
        pytest.param((*VIPS, "--ledger", "/nonexistent"), "there is no such ledger", id="no-ledger"),
        pytest.param(("-", "-"), "name - once", id="twice"),
    ],
)
def test_what_cannot_be_understood_is_told_in_a_line_and_ends_with_2(words: tuple[str, ...], complaint: str) -> None:
    answer = lint(*words)
    assert (answer.code, answer.out) == (2, "")
    assert complaint in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("code", ["HA007", "ha007", "7", "HA07"])
def test_a_finding_is_explained(code: str) -> None:
    answer = lint("--explain", code)
    rule = RULES["HA007"]
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"HA007 (warning): {rule.title}\n")
    assert all(text in answer.out for text in (rule.why, rule.cure, rule.evidence, "docs/lint.md#ha007"))


def test_it_reads_what_oc_prints_from_a_pipe() -> None:
    by_file = lint(DEPLOYMENT)
    answer = piped(DEPLOYMENT.read_text(), "-")
    assert answer.code == 1
    assert answer.out == by_file.out.replace(f"{DEPLOYMENT}:", "standard input:")


def test_a_keepalived_conf_is_known_by_what_it_says(tmp_path: Path) -> None:
    text = changed(GOOD_CONF, ("state BACKUP", "state MASTER"))
    for name in ("ha.conf", "notes.yaml"):
        (tmp_path / name).write_text(text)
    line = 1 + GOOD_CONF.splitlines().index("    preempt_delay 60")
    told = f"{line}: web: warning HA220: state MASTER cancels preempt_delay 60; "
    assert lint(tmp_path / "ha.conf").out.startswith(f"{tmp_path}/ha.conf:{told}")
    assert lint("--keepalived-conf", tmp_path / "notes.yaml").out.startswith(f"{tmp_path}/notes.yaml:{told}")
    assert piped(text, "-").out.startswith(f"standard input:{told}")
    assert piped(text, "--keepalived-conf", "-").out.startswith(f"standard input:{told}")


def test_an_included_file_is_read_and_named(tmp_path: Path) -> None:
    (tmp_path / "part.conf").write_text(changed(GOOD_CONF, ("priority 254", "priority 255")))
    (tmp_path / "keepalived.conf").write_text("global_defs {\n}\ninclude part.conf\n")
    assert f"{tmp_path}/part.conf:" in lint(tmp_path / "keepalived.conf").out


def test_a_keepalived_conf_in_a_config_map_has_the_lines_of_its_file(tmp_path: Path) -> None:
    text = changed(GOOD_CONF, ("priority 254", "priority 255"))
    block = "".join(f"    {line}\n" for line in text.splitlines())
    whole = f"kind: ConfigMap\nmetadata:\n  name: ha\ndata:\n  keepalived.conf: |\n{block}"
    (tmp_path / "map.yaml").write_text(whole)
    answer = lint(tmp_path / "map.yaml")
    number = 1 + whole.splitlines().index("        priority 255")
    assert answer.out.startswith(f"{tmp_path}/map.yaml:{number}: web: warning HA221: ")


def test_an_old_and_a_new_one_tell_of_two_owners_during_the_roll_out(tmp_path: Path) -> None:
    for name, vips in (("old.env", "10.0.0.1-3"), ("new.env", "10.0.0.1,10.0.0.3")):
        (tmp_path / name).write_text(f"OPENSHIFT_HA_VIRTUAL_IPS={vips}\nOPENSHIFT_HA_VRRP_ID_OFFSET=10\n")
    answer = lint("--env-file", tmp_path / "old.env", "--env-file", tmp_path / "new.env")
    assert f"HA309: 10.0.0.3 has the id 12, and 13 at {tmp_path}/old.env:1: " in answer.out
    assert "10.0.0.1 has" not in answer.out


def test_a_script_that_writes_a_keepalived_conf_is_none() -> None:
    script = "#!/bin/sh\ncat > x <<EOF\nvrrp_instance V {\n}\nEOF\n"
    whole = {"kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a.sh": script, "b": script[10:]}}
    answer = piped(json.dumps(whole), "-")
    assert (answer.code, "no keepalived.conf" in answer.err) == (2, True)


def test_everything_that_is_given_is_one_system(tmp_path: Path) -> None:
    for name, text in {"web.yaml": SERVICE, "geo.env": "OPENSHIFT_HA_VIRTUAL_IPS=10.0.0.100\n"}.items():
        (tmp_path / name).write_text(text)
    alone = lint(tmp_path / "web.yaml").out
    assert ("HA142" in alone, "HA143" in alone) == (True, False)
    answer = lint(GOOD, tmp_path / "web.yaml", "--env-file", tmp_path / "geo.env")
    assert "HA143: 10.0.0.9 is no VIP of any configuration here" in answer.out
    assert "HA301: 10.0.0.100 is in router too" in answer.out


def test_options_count_for_every_configuration_and_variables_where_no_file_is_named() -> None:
    answer = lint(GOOD, "--virtual-ips", "10.0.0.9-7")
    assert answer.out.startswith("--virtual-ips: error HA002: item 1, '10.0.0.9-7': 10.0.0.7 comes before 10.0.0.9; ")
    assert lint(OPENSHIFT_HA_VIRTUAL_IPS="10.0.0.300").out.startswith("OPENSHIFT_HA_VIRTUAL_IPS: error HA002: ")
    assert lint(GOOD, OPENSHIFT_HA_VIRTUAL_IPS="10.0.0.300") == Answer(0, "", "")


def test_each_wrong_variable_is_told_not_the_first_alone() -> None:
    answer = lint(*VIPS, OPENSHIFT_HA_VIP_GROUPS="010", OPENSHIFT_HA_REPLICA_COUNT="x", OPENSHIFT_HA_NONE="1")
    told = [line.split(": ")[1] for line in answer.out.splitlines()]
    assert [one for one in told if not one.startswith("note")] == ["warning HA001", "error HA002", "error HA002"]


def test_the_platform_and_kube_proxy_count_where_they_are_told() -> None:
    clashing = (*VIPS, "--cluster-name", "ocp2")
    assert "HA308: 10.0.0.1 has the id 11, which ocp2 has for ingress" in lint(*clashing).out
    assert lint(*clashing, "--excluded-vrrp-ids", "11") == Answer(0, "", "")
    port = (*VIPS, "--watch-port", "30080", "--kube-proxy-mode")
    assert "HA144: nodePort 30080" in lint(*port, "nftables").out
    assert lint(*port, "iptables") == Answer(0, "", "")


def test_the_pages_have_every_finding_once() -> None:
    text = (ROOT / "docs" / "lint.md").read_text()
    assert sorted(one.code for theme in PARTS for one in rules_of(theme)) == list(RULES)
    assert all(text.count(f"\n### {code}\n") == 1 for code in RULES)
