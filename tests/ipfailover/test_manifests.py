"""The objects that put ipfailover on nodes are taken by Kubernetes, and are the plan of what was asked for."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import click
import jsonschema
import kubernetes_validate
import pytest
import yaml

from hachecks import __version__
from hachecks.settings import Invalid
from tests.cli import ROOT, hacheck
from tests.ipfailover import crd_schemas
from tests.ipfailover.linting import Given
from tests.ipfailover.manifesting import (
    CONFIGMAPS,
    EXECUTABLE,
    VERSIONS,
    Written,
    container,
    env_files,
    loaded,
    manifests,
    plans,
    run,
    valid,
    written,
)

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = {
    "router": env_files("router"),
    "geo-cache": env_files("geo-cache"),
    "postgres": env_files("postgres"),
    "ingress": env_files("ingress"),
    "agent": env_files("agent"),
    "all-together": env_files("router", "geo-cache", "postgres", "ingress", "agent"),
    "documented": (ROOT / "tests/ipfailover-deployment-good.yaml", *env_files()),
    "seed": ("ipf-ha-router", "--virtual-ips=1.2.3.4,10.1.1.100-104,5.6.7.8", "-i", "eth1", "-w", 80, "-r", 4,
             "-l", "router=us-west-ha", "--vrrp-id-offset", 40, "--iptables-chain=INPUT", "--service-account=ha"),
    "dual-stack": ("dual", "--virtual-ips", "10.0.0.1-2,fd00::1-3", "--nodes", "a,b", "-ieth0", "--vrrp-id-offset", 7),
}  # fmt: skip
MONITORED = ("--pod-monitor", "--prometheus-rule", "--dashboard")
SMALL = ROOT / "hachecks/executable/prelude.sh"
"""Begins as the executable does; that is larger, and there is one test with it."""
WAYS: dict[str, tuple[object, ...]] = {
    "plain": (),
    "openshift": ("--openshift", "-n", "ha", *MONITORED),
    "namespace": ("--create-namespace", "--namespace", "ha", "--drain-volume", "pod"),
    "deployment": ("--kind", "deployment", "-r", 2, "-n", "ha"),
}
STOCK = ("--keep-stock", "--image", "example.test/ose-keepalived-ipfailover-rhel9:v4.20", "--executable", SMALL)
WITH_STOCK = {
    "stock": (*STOCK, "--stock", "4.20"),
    "stock-openshift": (*STOCK, "--stock", "4.21", "--openshift", "-n", "ha", *MONITORED),
}


BUT_IPV6 = [example for example in EXAMPLES if example != "dual-stack"]


def asked(example: str, way: str) -> tuple[object, ...]:
    """The words of an example in one of the ways."""
    return (*EXAMPLES[example], *{**WAYS, **WITH_STOCK}[way])


def kustomized(directory: Path) -> list[dict[str, Any]]:
    done = subprocess.run(["kubectl", "kustomize", str(directory)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    items = loaded(done.stdout)
    for one in items:
        # kustomize writes base64 in lines.
        if "binaryData" in one:
            one["binaryData"] = {key: "".join(text.split()) for key, text in one["binaryData"].items()}
    return items


def by_name(items: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    found = {(one["kind"], one["metadata"]["name"]): one for one in items}
    assert len(found) == len(items)
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("example", EXAMPLES)
def test_every_version_of_kubernetes_takes_every_example(example: str, way: str) -> None:
    found = written(*asked(example, way))
    valid(found.objects, VERSIONS if example == "router" else (VERSIONS[0], VERSIONS[-1]))
    assert len(found.workloads) == (5 if example == "all-together" else 1)


@pytest.mark.parametrize("way", WITH_STOCK)
@pytest.mark.parametrize("example", BUT_IPV6)
def test_and_those_that_keep_openshifts_image(example: str, way: str) -> None:
    valid(written(*asked(example, way)).objects, (VERSIONS[0], VERSIONS[-1]))


@pytest.mark.parametrize("way", [*WAYS, *WITH_STOCK])
def test_what_schemas_do_not_say_is_kept_as_well(way: str) -> None:
    found = written(*asked("all-together", way))
    maps = {one["metadata"]["name"] for one in found.of_kind("ConfigMap")}
    accounts = {one["metadata"]["name"] for one in found.of_kind("ServiceAccount")}
    for workload in found.workloads:
        pod = workload["spec"]["template"]["spec"]
        volumes = {one["name"]: one for one in pod["volumes"]}
        assert len(volumes) == len(pod["volumes"])
        assert pod["serviceAccountName"] in accounts
        assert {one["configMap"]["name"] for one in volumes.values() if "configMap" in one} <= maps
        for one in pod["containers"]:
            paths = [mount["mountPath"] for mount in one["volumeMounts"]]
            assert len(set(paths)) == len(paths)
            assert {mount["name"] for mount in one["volumeMounts"]} <= set(volumes)
            assert all(port["hostPort"] == port["containerPort"] for port in one.get("ports", ()))
            names = [variable["name"] for variable in one["env"]]
            assert len(set(names)) == len(names)
        used = {mount["name"] for one in pod["containers"] for mount in one["volumeMounts"]}
        assert used == set(volumes)
        for term in pod.get("affinity", {}).get("nodeAffinity", {}).values():
            # Kubernetes takes one name at a time there.
            assert all(len(each["matchFields"][0]["values"]) == 1 for each in term["nodeSelectorTerms"])


def test_a_field_that_there_is_not_is_refused() -> None:
    found = written(*EXAMPLES["router"], "--openshift", "-n", "ha", *MONITORED)
    for item in found.objects:
        validate = crd_schemas.validate if item["kind"] in crd_schemas.SCHEMAS else strictly
        with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
            validate({**item, "privileged": True})
    (workload,) = found.workloads
    workload["spec"]["template"]["spec"]["privileged"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        strictly(workload)
    del workload["spec"]["template"]["spec"]["privileged"]


def strictly(item: dict[str, Any]) -> None:
    kubernetes_validate.validate(item, VERSIONS[-1], strict=True)


def test_the_versions_are_found() -> None:
    assert VERSIONS[0] == "1.28"
    assert VERSIONS[-1] == ".".join(kubernetes_validate.latest_version().split(".")[:2])
    assert len(VERSIONS) == int(VERSIONS[-1].split(".")[1]) - 27


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("example", ["router", "all-together", "documented"])
def test_a_base_renders_to_the_same_objects(tmp_path: Path, example: str, way: str) -> None:
    answer = manifests(*asked(example, way), "--output", tmp_path)
    assert (answer.code, answer.out) == (0, f"{tmp_path} has a kustomize base now; kubectl apply -k {tmp_path}\n")
    assert by_name(kustomized(tmp_path)) == by_name(written(*asked(example, way)).objects)


@pytest.mark.executable
def test_a_base_with_the_executable_renders_to_the_same_objects(tmp_path: Path) -> None:
    words = (*asked("router", "stock-openshift"), "--executable", EXECUTABLE)
    assert manifests(*words, "--output", tmp_path).code == 0
    assert by_name(kustomized(tmp_path)) == by_name(written(*words).objects)
    assert (tmp_path / "ipfailover-router/hacheck").read_bytes() == EXECUTABLE.read_bytes()


def test_a_base_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "ipfailover-router").touch()
    answer = manifests(*EXAMPLES["router"], "--output", tmp_path)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"hacheck: {tmp_path}: File exists; name a directory that this user may write\n"
    assert [one.name for one in tmp_path.iterdir()] == ["ipfailover-router"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_plan_of_the_objects_is_that_of_what_was_asked_for(tmp_path: Path, example: str, way: str) -> None:
    path = tmp_path / "objects.yaml"
    path.write_text(written(*asked(example, way)).text)
    words = plan_words(example, way)
    assert plans(path, "--stock", "4.20") == plans(*words)


def plan_words(example: str, way: str) -> list[object]:
    """What `plan` is told for the same: the argument of oc is an option there."""
    words: list[object] = ["--stock", "4.20"] if example == "documented" else []
    given = [*EXAMPLES[example], *(("-r", 2) if way == "deployment" else ())]
    skip = False
    for number, word in enumerate(given):
        if skip or str(word).startswith("--service-account="):
            skip = False
        elif word == "--config":
            skip = True
        elif number == 0 and not str(word).startswith("--") and not str(word).endswith(".yaml"):
            words += ["--config-name", word]
        else:
            words.append(word)
    return words


@pytest.mark.parametrize("example", BUT_IPV6)
def test_openshifts_image_is_told_the_same_vips_with_the_same_ids(tmp_path: Path, example: str) -> None:
    path = tmp_path / "objects.yaml"
    path.write_text(written(*asked(example, "stock")).text)
    assert [ids(one) for one in plans(path)] == [ids(one) for one in plans(*plan_words(example, "stock"))]


def ids(plan: dict[str, Any]) -> dict[str, int]:
    return {vip: one["id"] for one in plan["instances"] for vip in one["vips"]}


def findings(found: Written, stock: str = "") -> set[str]:
    return Given((found.text,), stock=stock).codes()


ACCEPTED = {
    "agent": {"HA091"},  # adverts ten times a second
    "all-together": {"HA091", "HA093"},
    "ingress": {"HA093"},  # port 0
    "seed": {"HA126", "HA141"},  # a chain of iptables whose rule the image leaves behind, and eth1
}
"""What is found of the variables by themselves, which are as they were asked for."""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("example", EXAMPLES)
def test_lint_finds_nothing_in_the_objects(example: str, way: str) -> None:
    assert findings(written(*asked(example, way)), "4.20") <= ACCEPTED.get(example, set())


@pytest.mark.parametrize("way", WITH_STOCK)
@pytest.mark.parametrize("example", BUT_IPV6)
def test_lint_finds_nothing_more_in_those_that_keep_openshifts_image_than_is_its_own(example: str, way: str) -> None:
    # A password that is the name, a node among its peers, elections that nobody decides, and a preemption that is none.
    of_the_image = {"HA032", "HA042", "HA044", "HA046"}
    assert findings(written(*asked(example, way))) - of_the_image <= ACCEPTED.get(example, set())


def test_configurations_on_the_same_nodes_have_ports_and_ids_of_their_own(tmp_path: Path) -> None:
    one, other = tmp_path / "one.env", tmp_path / "other.env"
    one.write_text("OPENSHIFT_HA_CONFIG_NAME=one\nOPENSHIFT_HA_VIRTUAL_IPS=10.0.0.1-3\nOPENSHIFT_HA_VRRP_ID_OFFSET=0\n")
    other.write_text(
        "OPENSHIFT_HA_CONFIG_NAME=other\nOPENSHIFT_HA_VIRTUAL_IPS=10.0.1.1-3\nOPENSHIFT_HA_VRRP_ID_OFFSET=3\n"
    )
    words = ("--interface", "eth0", "--nodes", "a,b")
    found = written("--env-file", one, "--env-file", other, *words, "--agent-port", 20112)
    assert [container(each)["ports"][0]["hostPort"] for each in found.workloads] == [20112, 20113]
    together = plans("--env-file", one, "--env-file", other, *words)
    taken = [number for plan in together for number in ids(plan).values()]
    assert len(set(taken)) == len(taken) == 6
    for config_map, plan in zip(found.of_kind("ConfigMap"), together):
        # What a pod has is its own variables, and the ledger of all.
        for name, text in config_map["data"].items():
            (tmp_path / name).write_text(text)
        (alone,) = plans("--env-file", tmp_path / "ipfailover.env", "--ledger", tmp_path / "ledger.json")
        assert alone == plan


def test_the_ledger_in_the_cluster_is_one_for_the_next_time(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.yaml"
    words = ("router", "--nodes", "a,b", "--vrrp-id-offset", 0, "-i", "eth0")
    before = written(*words, "--virtual-ips", "10.0.0.1-4").one("ConfigMap")
    ledger.write_text(yaml.safe_dump(before))
    answer = manifests(*words, "--virtual-ips", "10.0.0.2,10.0.0.4,10.0.0.9", "--ledger", ledger)
    assert answer.err.splitlines()[0].startswith(f"hacheck: {ledger}: it does not have this plan yet")
    text = yaml.safe_load(list(yaml.safe_load_all(answer.out))[1]["data"]["ledger.json"])
    kept = {one["vips"][0]: one["id"] for one in text["configurations"]["router"]["instances"] if one["vips"]}
    assert kept == {"10.0.0.2": 2, "10.0.0.4": 4, "10.0.0.9": 5}


@pytest.mark.parametrize("way", ["openshift"])
def test_what_is_written_twice_is_the_same(way: str) -> None:
    assert manifests(*asked("all-together", way)).out == written(*asked("all-together", way)).text


SHIPPED = {"PodMonitor": "pod-monitor", "PrometheusRule": "prometheus-rules", "ConfigMap": "grafana-dashboard"}


def test_what_is_shipped_is_what_configmaps_has() -> None:
    found = written(*asked("router", "openshift"))
    for kind, name in SHIPPED.items():
        (theirs,) = loaded((CONFIGMAPS / f"{name}.yaml").read_text())
        theirs["metadata"]["namespace"] = "ha"
        assert found.of_kind(kind)[-1] == theirs
    (workload,) = found.workloads
    selector = found.one("PodMonitor")["spec"]["selector"]["matchLabels"]
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert selector.items() <= labels.items()
    assert set(found.one("PodMonitor")["spec"]["podTargetLabels"]) <= set(labels)
    (endpoint,) = found.one("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] == container(workload)["ports"][0]["name"]


def test_json_has_the_same_objects() -> None:
    listed = json.loads(manifests(*asked("router", "openshift"), "-o", "json").out)
    assert (listed["kind"], listed["apiVersion"]) == ("List", "v1")
    assert listed["items"] == written(*asked("router", "openshift")).objects


@pytest.mark.parametrize("spelling", [("--images", "example.test/ose-${component}:${version}", "--stock", "4.19"),
                                      ("--image", "example.test/ose-keepalived-ipfailover:v4.19")])  # fmt: skip
def test_the_image_is_named_as_oc_has_it(spelling: tuple[str, ...]) -> None:
    (workload,) = written(*EXAMPLES["seed"], *spelling, "--dry-run", "--type", "keepalived").workloads
    assert container(workload)["image"] == "example.test/ose-keepalived-ipfailover:v4.19"


def test_the_newest_image_is_the_latest() -> None:
    words = ("--images", "example.test/${component}:${version}", "--latest-images")
    (workload,) = written(*EXAMPLES["seed"], *words).workloads
    assert container(workload)["image"] == "example.test/keepalived-ipfailover:latest"


def test_what_oc_was_told_is_where_it_belongs() -> None:
    found = written(*EXAMPLES["seed"])
    (workload,) = found.workloads
    pod = workload["spec"]["template"]["spec"]
    assert workload["metadata"]["name"] == "ipfailover-ipf-ha-router"
    assert workload["metadata"]["labels"]["ipfailover"] == "ipf-ha-router"
    assert pod["serviceAccountName"] == found.one("ServiceAccount")["metadata"]["name"] == "ha"
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux", "router": "us-west-ha"}
    assert container(workload)["image"] == f"hachecks:{__version__}"
    assert found.one("ConfigMap")["data"]["ipfailover.env"].splitlines()[1:] == [
        "OPENSHIFT_HA_CONFIG_NAME=ipf-ha-router",
        "OPENSHIFT_HA_VIRTUAL_IPS=1.2.3.4,10.1.1.100-104,5.6.7.8",
        "OPENSHIFT_HA_VRRP_ID_OFFSET=40",
        "OPENSHIFT_HA_REPLICA_COUNT=4",
        "OPENSHIFT_HA_NETWORK_INTERFACE=eth1",
        "OPENSHIFT_HA_MONITOR_PORT=80",
        "OPENSHIFT_HA_DRAIN_FILE=/var/lib/hacheck/drain",
        "OPENSHIFT_HA_IPTABLES_CHAIN=INPUT",
        "OPENSHIFT_HA_SELECTOR=router=us-west-ha",
    ]


def test_nodes_come_from_oc_get_nodes(tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text("node/worker-0\nnode/worker-1\n")
    found = written("router", "--virtual-ips", "10.0.0.1", "-i", "eth0", "--nodes-file", tmp_path / "nodes")
    assert "OPENSHIFT_HA_NODES=worker-0,worker-1\n" in found.one("ConfigMap")["data"]["ipfailover.env"]
    (workload,) = found.workloads
    required = workload["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    terms = required["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert [term["matchFields"][0]["values"] for term in terms] == [["worker-0"], ["worker-1"]]


def test_lines_for_keepalived_conf_stay_lines(tmp_path: Path) -> None:
    lines = 'garp_master_delay 3\ntrack_interface {\n    eth1 weight -10 # "x"\n}'
    words = ("router", "--virtual-ips", "10.0.0.1", "--nodes", "a,b", "-i", "eth0", "--vrrp-id-offset", 1)
    found = written(*words, "--verbatim", lines)
    (tmp_path / "objects.yaml").write_text(found.text)
    render = ("ipfailover", "render", "--node", "a")
    mine = hacheck(*render, tmp_path / "objects.yaml").out
    assert "    track_interface {\n        eth1 weight -10" in mine or "eth1 weight -10" in mine
    theirs = hacheck(*render, "--config-name", "router", *words[1:], "--verbatim", lines, "--drain-file",
                     "/var/lib/hacheck/drain").out  # fmt: skip
    assert uncommented(mine) == uncommented(theirs)


def uncommented(conf: str) -> list[str]:
    return [line for line in conf.splitlines() if line.strip() and not line.lstrip().startswith(("#", "!"))]


REFUSALS: list[tuple[tuple[object, ...], str]] = [
    (("--create",), "--create: nothing is created here; pipe the objects into kubectl apply -f -"),
    (("--type", "ipvs"), "--type ipvs: there is keepalived alone, as in oc adm ipfailover"),
    (("--openshift",), "--openshift needs --namespace"),
    (("--create-namespace",), "--create-namespace needs --namespace"),
    (("--image", "a", "--images", "b"), "--image and --images name the image twice; name it once"),
    (("--latest-images",), "--latest-images needs --images; or name the image by --image"),
    (("--image", "a b"), "'a b' is no image; expected REGISTRY/NAME:TAG, the name in small letters"),
    (("-n", "Ha"), "'Ha' is no namespace; expected small letters, digits and -, 63 at most"),
    (("--agent-port", 0), "--agent-port is 1 to 65535"),
    (("--keep-stock",), "--keep-stock and --executable belong together: the executable is for OpenShift's image"),
    (("--config-name", "other"), "router: there is no such file, and the name is other already"),
    (("geo",), "router: there is no such file, and the name is geo already"),
    (("no.yaml",), "no.yaml: No such file or directory; name a file that this user may read"),
    (("--check-script", "/etc/keepalive/my.sh"),
     "--check-script: /etc/keepalive/my.sh is in no volume of the pod; give --mount NAME=DIR, a ConfigMap that has it, "
     "in a directory of its own"),
    (("--check-script", "sh /etc/keepalive/hacheck run vip"),
     "--check-script: no hacheck.toml declares the check vip; give --config, the file that does"),
    (("--config", CONFIGMAPS / "hacheck.toml", "--check-script", "sh /etc/keepalive/hacheck run vpi"),
     "--check-script: no hacheck.toml declares the check vpi; did you mean vip?"),
    (("--auth-pass-file", "/etc/vrrp/password"),
     "router: no volume has /etc/vrrp/password; give --secret, a Secret with the key password"),
    (("--auth-pass-file", "/etc/hacheck/x", "--secret", "vrrp"),
     "/etc/hacheck/x: /etc/hacheck is where config is mounted; choose another directory"),
    (("--drain-file", "/usr/drain"),
     "--drain-file: a volume at /usr would hide what the image has there; choose another directory"),
    (("--mount", "scripts=/run/scripts"),
     "--mount scripts=/run/scripts: /run/scripts is where run is mounted; choose another directory"),
    (("--mount", "scripts=/usr"),
     "--mount scripts=/usr: a volume at /usr would hide what the image has there; choose another directory"),
    (("--mount", "scripts"), "'scripts' has no absolute directory; expected NAME=DIR"),
    (("--kind", "deployment", "--nodes", "a,b", "-r", 3), "--replicas: 3 pods are more than the 2 nodes of the plan"),
    (("--unicast-source", "10.0.0.9"),
     "--unicast-source: 10.0.0.9 is one node's own, and this is for all; leave it out, each pod finds its own"),
    (("--mount", "scripts=/etc/keepalive"),
     "--mount scripts=/etc/keepalive: a volume at /etc/keepalive would hide what the image has there; choose another "
     "directory"),
    (("--mount", "scripts=/usr/bin/mine"),
     "--mount scripts=/usr/bin/mine: a volume at /usr/bin/mine would hide what the image has there; choose another "
     "directory"),
    (("--mount", "a=/etc/a", "--mount", "b=/etc/a/b"),
     "--mount b=/etc/a/b: /etc/a/b is where map-1 is mounted; choose another directory"),
    (("--secret", "vrrp"),
     "--secret vrrp: no variable names a file of it; give --auth-pass-file or --auth-hmac-key-file, or say "
     "where it is mounted, --secret vrrp=DIR"),
    (("--secret", "a", "--secret", "b"),
     "--secret: one Secret has the files that variables name; give the others as NAME=DIR"),
    (("--secret", "a=/etc/a", "--mount", "b=/etc/a"),
     "--mount b=/etc/a: /etc/a is where secret-1 is mounted; choose another directory"),
    (("--secret", "a=x"), "'a=x' has no absolute directory; expected NAME=DIR"),
    (("--nodes", "a,Node-B"),
     "--nodes: Node-B is no node of Kubernetes, whose names have small letters, digits, - and ."),
    (("--selector", "a=b,a=c"), "--selector: no node has both a=b and a=c"),
    (("--selector", "a=b,c"), "--selector: 'c' is no label; expected NAME=VALUE"),
    (("--selector", "kubernetes.io/os=windows"),
     "--selector: kubernetes.io/os=windows: Keepalived runs on Linux alone"),
    (("--watch-port", 9000, "--agent-port", 9000),
     "--watch-port: 9000 is the port of an agent, which would be watched; give another --agent-port"),
    (("-n", "ha", "--follow-services", "--ledger-config-map", "ipfailover-router"),
     "router: its ConfigMap would be called ipfailover-router, as the one in which pods agree on ids; give another "
     "--ledger-config-map, or rename it"),
    (("--check-script", "/bin/a 'b"), "is no command line; is a quote not closed?"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "why"), REFUSALS, ids=[str(words) for words, _ in REFUSALS])
def test_what_cannot_be_is_refused_in_one_line(words: tuple[object, ...], why: str) -> None:
    with pytest.raises((Invalid, click.UsageError)) as refusal:
        run("router", "--virtual-ips", "10.0.0.1", "-i", "eth0", *words)
    said = getattr(refusal.value, "message", str(refusal.value))
    assert said.endswith(why), said
    assert "\n" not in said


def test_a_refusal_is_all_that_is_said() -> None:
    answer = manifests("router", "--create")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"hacheck: ipfailover manifests: {REFUSALS[0][1]}\n"
