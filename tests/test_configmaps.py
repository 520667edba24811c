"""What a user applies says what the code says, and Kubernetes takes it."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from hachecks import __version__
from hachecks.config import Configuration
from hachecks.delivery.starting import is_delivering
from hachecks.executable.configmap import LARGEST, rendered
from tests.cli import ROOT, hacheck
from tests.logdaemons import eventually

CONFIGMAPS = ROOT / "configmaps"
DEPLOYMENT = ROOT / "tests/ipfailover-deployment.yaml"


@pytest.fixture(scope="module")
def executable() -> bytes:
    path = ROOT / "dist/hacheck"
    assert path.exists(), "make executable"
    return path.read_bytes()


def kustomize(directory: Path) -> list[dict[str, Any]]:
    """What `kubectl kustomize` makes of a directory, each object valid for Kubernetes."""
    done = subprocess.run(["kubectl", "kustomize", str(directory)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    objects = list(yaml.safe_load_all(done.stdout))
    for item in objects:
        valid(item)
    return objects


def valid(item: dict[str, Any]) -> None:
    for version in ("1.25", "1.33"):
        kubernetes_validate.validate(item, version, strict=True)


def test_every_example_check_is_understood() -> None:
    path = CONFIGMAPS / "hacheck.toml"
    answer = hacheck("checks", "--config", path)
    assert (answer.code, answer.err) == (0, "")
    assert [line.split()[1] for line in answer.out.splitlines()] == ["http", "nodeport", "sql", "file", "all"]


def test_the_kustomization_renders_a_configmap_of_the_executable_and_the_checks(
    tmp_path: Path, executable: bytes
) -> None:
    for name in ("kustomization.yaml", "hacheck.toml"):
        shutil.copy(CONFIGMAPS / name, tmp_path)
    (tmp_path / "hacheck").write_bytes(executable)
    (configmap,) = kustomize(tmp_path)
    assert (configmap["kind"], configmap["metadata"]["name"]) == ("ConfigMap", "hacheck")
    assert base64.b64decode(configmap["binaryData"]["hacheck"]) == executable
    assert configmap["data"]["hacheck.toml"] == (CONFIGMAPS / "hacheck.toml").read_text()


def test_make_configmaps_renders_the_same(executable: bytes) -> None:
    checks = (CONFIGMAPS / "hacheck.toml").read_text()
    configmap = yaml.safe_load(rendered(executable, checks))
    valid(configmap)
    assert base64.b64decode(configmap["binaryData"]["hacheck"]) == executable
    assert configmap["data"]["hacheck.toml"] == checks


def test_a_configmap_that_kubernetes_would_refuse_is_not_written() -> None:
    with pytest.raises(ValueError, match="a ConfigMap holds 1048576"):
        rendered(bytes(LARGEST), "x")


def patched(directory: Path, *patches: str) -> dict[str, Any]:
    """The documented Deployment after `kubectl patch` with each of these, in this order."""
    shutil.copy(DEPLOYMENT, directory / "deployment.yaml")
    for name in patches:
        patch = yaml.safe_load((CONFIGMAPS / name).read_text())
        named = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "ipfailover-keepalived"}, **patch}
        (directory / name).write_text(yaml.safe_dump(named))
    listed = {"resources": ["deployment.yaml"], "patchesStrategicMerge": list(patches)}
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(listed))
    (deployment,) = kustomize(directory)
    return deployment


def test_the_patch_turns_the_documented_deployment_into_one_that_runs_a_declared_check(tmp_path: Path) -> None:
    deployment = patched(tmp_path, "deployment-patch.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    environ = {variable["name"]: variable["value"] for variable in container["env"]}
    assert environ["OPENSHIFT_HA_VIRTUAL_IPS"] == "10.0.0.100-101"
    *command, check = environ["OPENSHIFT_HA_CHECK_SCRIPT"].split()
    assert command == ["sh", "/etc/keepalive/hacheck", "run"]
    assert check in Configuration.read(str(CONFIGMAPS / "hacheck.toml")).tables
    (mount,) = [mount for mount in container["volumeMounts"] if mount["mountPath"] == "/etc/keepalive"]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == mount["name"]]
    assert volume["configMap"] == {"name": "hacheck", "defaultMode": 0o755}


@pytest.fixture
def monitored(tmp_path: Path) -> dict[str, Any]:
    """The pod template of the documented Deployment with checks and exporter."""
    template = patched(tmp_path, "deployment-patch.yaml", "exporter-patch.yaml")["spec"]["template"]
    return dict(template)


def containers_of(template: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keepalived's container, and the exporter's."""
    found = {container["name"]: container for container in template["spec"]["containers"]}
    assert set(found) == {"openshift-ipfailover", "hacheck-exporter"}
    return found["openshift-ipfailover"], found["hacheck-exporter"]


def volumes_at(container: dict[str, Any]) -> dict[str, str]:
    return {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}


def test_the_exporter_sees_what_keepalived_is_told_and_says(monitored: dict[str, Any]) -> None:
    keepalived, exporter = containers_of(monitored)
    environ = {variable["name"]: variable.get("value") for variable in keepalived["env"]}
    assert environ["OPENSHIFT_HA_NOTIFY_SCRIPT"] == "sh /etc/keepalive/hacheck notify"
    assert environ["OPENSHIFT_HA_CHECK_SCRIPT"] == "sh /etc/keepalive/hacheck run vip"
    shared = volumes_at(exporter)
    assert set(shared) == {"/etc/keepalive", "/etc/keepalived", "/run/hacheck"}
    assert shared.items() <= volumes_at(keepalived).items()
    volumes = {volume["name"]: volume for volume in monitored["spec"]["volumes"]}
    assert volumes[shared["/etc/keepalived"]]["emptyDir"] == volumes[shared["/run/hacheck"]]["emptyDir"] == {}
    writable = [mount["mountPath"] for mount in exporter["volumeMounts"] if not mount.get("readOnly")]
    assert writable == [], "root reads what is there again"


def test_the_exporter_may_nothing_but_look(monitored: dict[str, Any]) -> None:
    keepalived, exporter = containers_of(monitored)
    assert keepalived["securityContext"] == {"privileged": True}
    assert exporter["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(exporter["resources"]["limits"]) == {"memory"}


def test_the_exporter_is_probed_and_scraped_where_it_listens(monitored: dict[str, Any]) -> None:
    _, exporter = containers_of(monitored)
    (port,) = exporter["ports"]
    assert exporter["command"] == ["hacheck", "exporter", "--listen", f":{port['containerPort']}"]
    assert port["hostPort"] == port["containerPort"]  # on the node's network there is no other way
    probes = {name: exporter[name]["httpGet"] for name in ("livenessProbe", "readinessProbe")}
    assert probes["livenessProbe"] == {"path": "/-/healthy", "port": port["name"]}
    assert probes["readinessProbe"] == {"path": "/-/ready", "port": port["name"]}


def test_the_agent_takes_the_exporters_place_as_the_user_of_the_scripts(tmp_path: Path) -> None:
    pod = patched(tmp_path, "deployment-patch.yaml", "agent-patch.yaml")["spec"]["template"]["spec"]
    containers = {container["name"]: container for container in pod["containers"]}
    keepalived, agent = containers["openshift-ipfailover"], containers["hacheck-agent"]
    assert len(containers) == 2
    assert pod["shareProcessNamespace"] is True, "notify looks whether the process lives that delivers"
    assert volumes_at(agent).items() <= volumes_at(keepalived).items()
    writable = [mount["mountPath"] for mount in agent["volumeMounts"] if not mount.get("readOnly")]
    assert writable == ["/run/hacheck", "/var/lib/hacheck"]
    security = agent["securityContext"]
    assert security["runAsUser"] == 0
    assert security["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}
    (port,) = agent["ports"]
    assert agent["command"] == ["hacheck", "agent", "--listen", f":{port['containerPort']}"]
    assert agent["image"] == f"hachecks:{__version__}"
    assert agent["livenessProbe"]["httpGet"] == {"path": "/-/healthy", "port": port["name"]}


def test_a_drain_outlives_the_pod(tmp_path: Path) -> None:
    pod = patched(tmp_path, "deployment-patch.yaml", "agent-patch.yaml")["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for container in pod["containers"]:
        (name,) = [mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == "/var/lib/hacheck"]
        assert volumes[name]["hostPath"] == {"path": "/var/lib/hacheck", "type": "DirectoryOrCreate"}


def test_the_image_is_of_this_version(monitored: dict[str, Any]) -> None:
    _, exporter = containers_of(monitored)
    assert exporter["image"] == f"hachecks:{__version__}"
    containerfile = (ROOT / "Containerfile").read_text()
    assert f"hachecks:{__version__}" in containerfile
    assert "USER 65534" in containerfile
    lines = [line for line in containerfile.splitlines() if re.match("COPY (?!--from)", line)]
    copied = [word for line in lines for word in line.split()[1:-1]]
    assert all((ROOT / word).exists() for word in copied)


def test_the_pod_monitor_selects_the_patched_pods_and_their_port(monitored: dict[str, Any]) -> None:
    monitor = yaml.safe_load((CONFIGMAPS / "pod-monitor.yaml").read_text())
    assert (monitor["apiVersion"], monitor["kind"]) == ("monitoring.coreos.com/v1", "PodMonitor")
    labels = monitored["metadata"]["labels"]
    spec = monitor["spec"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert labels[spec["jobLabel"]] == "ipfailover"
    assert set(spec["podTargetLabels"]) <= set(labels)
    (endpoint,) = spec["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in containers_of(monitored)[1]["ports"]}
    assert (endpoint["path"], endpoint["interval"], endpoint["scrapeTimeout"]) == ("/metrics", "15s", "10s")
    (relabeling,) = endpoint["relabelings"]
    assert relabeling == {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}


def test_the_rules_are_an_object_of_the_prometheus_operator() -> None:
    rules = yaml.safe_load((CONFIGMAPS / "prometheus-rules.yaml").read_text())
    assert (rules["apiVersion"], rules["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert set(rules) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(rules["spec"]) == {"groups"}
    names = [group["name"] for group in rules["spec"]["groups"]]
    assert len(set(names)) == len(names)
    for group in rules["spec"]["groups"]:
        assert set(group) == {"name", "rules"}
        for rule in group["rules"]:
            assert set(rule) <= {"alert", "record", "expr", "for", "labels", "annotations"}
            assert ("alert" in rule) != ("record" in rule)
            assert all(
                isinstance(value, str) for key in ("labels", "annotations") for value in rule.get(key, {}).values()
            )


def test_the_dashboard_is_found_by_grafana() -> None:
    dashboard = yaml.safe_load((CONFIGMAPS / "grafana-dashboard.yaml").read_text())
    valid(dashboard)
    assert dashboard["metadata"]["labels"] == {"grafana_dashboard": "1"}


KEEPALIVED_HOOK = """
umask 0177
export HACHECK_STATE_DIR=$1
sh "$2" notify INSTANCE VI_1 MASTER 100
setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all -- cat "$1/journal"
"""


@pytest.mark.executable
def test_the_exporters_user_can_read_what_keepalived_has_recorded(executable: bytes) -> None:
    if os.geteuid() != 0:
        assert not os.environ.get("CI"), "run it as root"
        pytest.skip("needs root, to be another user")
    with tempfile.TemporaryDirectory() as directory:  # tmp_path is closed to others
        place = Path(directory)
        place.chmod(0o777)  # as an emptyDir is
        (place / "hacheck").write_bytes(executable)
        (place / "hacheck.toml").write_text("")
        script = ["sh", "-c", KEEPALIVED_HOOK, "hook", directory, str(place / "hacheck")]
        done = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
        eventually(lambda: not is_delivering(directory))  # who writes there as long as it delivers
    assert "MASTER" in done.stdout, done.stderr


def test_the_executable_is_never_committed() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"dist/hacheck", "configmaps/hacheck"} & set(tracked.split())
