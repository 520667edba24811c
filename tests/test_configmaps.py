"""What a user applies says what the code says, and Kubernetes takes it."""

from __future__ import annotations

import base64
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest
import yaml

from hachecks.config import Configuration
from hachecks.executable.configmap import LARGEST, rendered

from .cli import ROOT, hacheck

if TYPE_CHECKING:
    from pathlib import Path

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


def test_the_patch_turns_the_documented_deployment_into_one_that_runs_a_declared_check(tmp_path: Path) -> None:
    shutil.copy(DEPLOYMENT, tmp_path / "deployment.yaml")
    patch = yaml.safe_load((CONFIGMAPS / "deployment-patch.yaml").read_text())
    named = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "ipfailover-keepalived"}, **patch}
    (tmp_path / "patch.yaml").write_text(yaml.safe_dump(named))
    (tmp_path / "kustomization.yaml").write_text("resources: [deployment.yaml]\npatchesStrategicMerge: [patch.yaml]\n")
    (deployment,) = kustomize(tmp_path)
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


def test_the_executable_is_never_committed() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"dist/hacheck", "configmaps/hacheck"} & set(tracked.split())
