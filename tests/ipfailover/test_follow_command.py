"""`hacheck ipfailover follow` as it is started, and what plan and render make of what it writes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from hachecks.ipfailover.follow.files import ENV, LEDGER, REPORT, STALE, FollowReport, read_report
from tests.cli import ROOT, Answer, hacheck
from tests.failover.namespace import wait_until
from tests.ipfailover.following import OWN, following
from tests.ipfailover.kube_api import NAMESPACE, KubeApi, service

if TYPE_CHECKING:
    from pathlib import Path


def once(api: KubeApi, directory: Path, *words: object) -> Answer:
    variables = directory / "own.env"
    variables.write_text(OWN)
    own = ("--env-file", variables, "--service-account", api.account, "--state-dir", directory / "state")
    return asked(api, *own, *words)


def asked(api: KubeApi, *words: object) -> Answer:
    where = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)}
    return hacheck("ipfailover", "follow", "--once", *words, timeout=60, **where)


def test_once_says_what_would_be_done_and_does_nothing(api: KubeApi, tmp_path: Path) -> None:
    api.put("services", service("web", 5))
    api.put("services", service("bad", 6, loadBalancerIP="192.0.2.1"))
    api.put("services", service("dns", 7, ports=[{"port": 53, "protocol": "UDP", "nodePort": 30053}]))
    answer = once(api, tmp_path, "--service-range", "10.0.0.20-29")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "default/dns would get 10.0.0.20 with the id 13, checked by: true",
        "default/web would get 10.0.0.21 with the id 14, checked by: /etc/keepalive/hacheck nodeport 30005",
        "default/dns: its status would become 10.0.0.20, by the node that has the VIP",
        "default/web: its status would become 10.0.0.21, by the node that has the VIP",
        "default/bad: 192.0.2.1 is in no --service-range; ask for another one, or for none; it has no VIP",
        "default/dns: it is not checked, since none of its ports is TCP; externalTrafficPolicy: Local has a port that "
        "can be asked",
        "the ledger would be written",
    ]
    assert {one.partition(" ")[0] for one in api.asked} == {"GET"}
    assert not (tmp_path / "state").exists()


def test_once_after_a_follower_finds_nothing_to_do(api: KubeApi, tmp_path: Path) -> None:
    api.put("services", service("web", 5))
    with following(api, tmp_path) as node:
        node.wait_for("10.0.0.20")
    answer = once(api, tmp_path, "--service-range", "10.0.0.20-29")
    assert answer.out.splitlines()[0].startswith("default/web has 10.0.0.20 with the id 13")
    assert answer.out.splitlines()[-1] == "the ledger has all of this"


def test_once_with_nothing_at_all(api: KubeApi, tmp_path: Path) -> None:
    words = ("--service-account", api.account, "--config-name", "router", "--state-dir", tmp_path)
    answer = asked(api, *words)
    said, last = answer.out.splitlines()
    assert said.startswith("OPENSHIFT_HA_VIRTUAL_IPS names no VIP: when the last Service goes, its VIP stays")
    assert (answer.code, last) == (0, "the ledger has all of this")


def test_once_without_rights_says_which_is_missing(api: KubeApi, tmp_path: Path) -> None:
    api.namespace_rules = ()
    answer = once(api, tmp_path)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(
        f"hacheck: follow: GET /api/v1/namespaces/{NAMESPACE}/configmaps: the API answers 403: "
    )


@pytest.mark.parametrize(
    ("words", "environ", "said"),
    [
        ((), {}, "KUBERNETES_SERVICE_HOST is not set: only a pod can follow Services; run it in one"),
        (("--service-account", "/nonexistent"), {"KUBERNETES_SERVICE_HOST": "127.0.0.1"},
         "the pod's service account: cannot read"),
        ((), {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "tcp"}, "the pod's service account: "),
        (("--load-balancer-class", "a/b/c"), {}, "'a/b/c' is no loadBalancerClass; expected a name such as"),
        (("--service-range", "10.0.0.9-1"), {}, "10.0.0.1 comes before 10.0.0.9"),
        (("--service-range", "fd00::/64"), {}, "limit 1024; split the list"),
        (("--external-ip-range", "10.0.0.1/24"), {}, "is no network; expected one such as 192.0.2.0/24"),
        (("--ledger-config-map", "A_B"), {}, "is no name of a ConfigMap"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_a_line(words: tuple[str, ...], environ: dict[str, str], said: str) -> None:
    answer = hacheck("ipfailover", "follow", "--virtual-ips", "10.0.0.1", *words, timeout=60, **environ)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert said in answer.err


def test_vips_are_added_to_one_configuration(api: KubeApi, tmp_path: Path) -> None:
    second = tmp_path / "second.env"
    second.write_text(OWN.replace("router", "other"))
    answer = once(api, tmp_path, "--env-file", second)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "these are 2 configurations; VIPs of Services are added to one, name that alone" in answer.err


def test_it_begins_with_the_ledger_that_it_is_given(api: KubeApi, tmp_path: Path) -> None:
    (tmp_path / "own.env").write_text(OWN)
    ledger = tmp_path / "ledger.yaml"
    words = ("--env-file", tmp_path / "own.env", "--ledger", ledger)
    assert hacheck("ipfailover", "plan", *words, "--vrrp-id-offset", "50", "--save").code == 0
    with following(api, tmp_path, ledger=str(ledger)) as node:
        api.put("services", service("web", 5))
        node.wait_for("10.0.0.20")
        assert node.ids() == {"10.0.0.1": 51, "10.0.0.2": 52, "10.0.0.20": 11}


def test_plan_and_render_take_what_is_written(api: KubeApi, tmp_path: Path) -> None:
    for number, name in enumerate(("one", "two"), 1):
        api.put("services", service(name, number, externalTrafficPolicy="Local", healthCheckNodePort=32000 + number))
    with following(api, tmp_path) as node:
        wait_until("both are there", lambda: len(node.vips) == 4)
        both = {key.split("/")[1]: vip for key, (vip,) in node.allocated().items()}
        plan = hacheck(
            "ipfailover", "plan", "--env-file", node.directory / ENV, "--config-name", "router",
            "--ledger", node.directory / LEDGER, "--format", "json",
        )  # fmt: skip
        assert (plan.code, plan.err) == (0, "")
        ids = {one["vips"][0]: one["id"] for one in json.loads(plan.out)["configurations"][0]["instances"]}
        assert ids == {vip: node.ids()[vip] for vip in both.values()}
        conf = hacheck(
            "ipfailover", "render", "--env-file", node.directory / ENV, "--config-name", "router",
            "--ledger", node.directory / LEDGER, "--nodes", "node-a,node-b", "--node", "node-a", "--interface", "eth0",
        )  # fmt: skip
    for number, name in enumerate(("one", "two"), 1):
        command = f"nodeport 3000{number} --health-check-node-port 3200{number} --service default/{name}"
        assert f'    script "sh /etc/keepalive/hacheck {command}"' in conf.out
        assert both[name] in conf.out


def test_a_process_ends_by_sigterm_and_leaves_what_it_wrote(api: KubeApi, tmp_path: Path) -> None:
    (tmp_path / "own.env").write_text(OWN)
    api.put("services", service("web", 5))
    words = ["--env-file", tmp_path / "own.env", "--service-account", api.account, "--service-range", "10.0.0.20-29"]
    argv = [sys.executable, "-m", "hachecks", "ipfailover", "follow", *map(str, words)]
    environ = {**os.environ, **api.environ, "PYTHONPATH": str(ROOT), "HACHECK_STATE_DIR": str(tmp_path / "state")}
    with subprocess.Popen(argv, env=environ, stderr=subprocess.PIPE, text=True) as process:
        wait_until(
            "it is written", lambda: (tmp_path / "state" / REPORT).exists() and (tmp_path / "state" / ENV).exists()
        )
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (-signal.SIGTERM, "")
    assert "10.0.0.20" in (tmp_path / "state" / ENV).read_text()
    report = read_report(str(tmp_path / "state"))
    assert report is not None
    assert not report.is_stale


# The report


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    FollowReport("the API is away", 3, 2, ("one", "two"), at=5.0).write(str(tmp_path))
    found = read_report(str(tmp_path))
    assert found is not None
    assert vars(found) == {"trouble": "the API is away", "services": 3, "vips": 2, "remarks": ("one", "two"), "at": 5.0}


def test_a_report_is_stale_after_a_while_or_when_it_is_of_another_boot() -> None:
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert FollowReport(at=now - STALE).is_stale
    assert FollowReport(at=now + STALE).is_stale
    assert not FollowReport().is_stale


@pytest.mark.parametrize(
    "changes",
    [{"trouble": 7}, {"services": -1}, {"vips": "1"}, {"remarks": "x"}, {"remarks": [1]}, {"at": "now"}, {"at": None}],
)
def test_a_report_that_is_none_is_passed_over(tmp_path: Path, changes: dict[str, Any]) -> None:
    FollowReport().write(str(tmp_path))
    path = tmp_path / REPORT
    assert read_report(str(tmp_path)) is not None
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    assert read_report(str(tmp_path)) is None
    for text in ("", "[]", "{}", "{" * 1000):
        path.write_text(text)
        assert read_report(str(tmp_path)) is None
