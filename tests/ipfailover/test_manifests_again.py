"""The same command again with something changed: what is in the cluster is changed by it, and nothing is in its way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cli import ROOT
from tests.ipfailover.manifesting import CONFIGMAPS, container, manifests, written

if TYPE_CHECKING:
    from pathlib import Path

ROUTER = ("router", "--virtual-ips", "10.0.0.1-2", "-i", "eth0", "-n", "ha", "--openshift", "-l", "edge=")
STOCK = ("--keep-stock", "--executable", ROOT / "hachecks/executable/prelude.sh", "--image", "x.test/y:v4.20")
VRRP3 = ("--vrrp-version", 3)
CHANGES: dict[str, tuple[object, ...]] = {
    "vips": ("--virtual-ips", "10.0.0.1-9,fd00::1"),
    "replicas": ("-r", 5),
    "image": ("--image", "example.test/hachecks:2"),
    "selector": ("--selector", "a=b"),
    "nodes": ("--nodes", "a,b,c"),
    "check": ("--check-script", "/bin/true"),
    "port": ("--agent-port", 20000),
    "secret": ("--secret", "vrrp", "--auth-pass-file", "/etc/vrrp/password"),
    "drain": ("--drain-volume", "pod"),
    "services": ("--follow-services",),
    "account": ("--service-account", "other"),
    "stock": STOCK,
    "keepalived": ("--verbatim-global", "vrrp_no_swap"),
}
UNCHANGED = {"vips", "check", "replicas"}
"""What reaches the pods by a reload."""


def immutable(one: dict[str, Any]) -> Any:
    """What an API server lets nobody change (Kubernetes, validation: apps, rbac and core)."""
    if one["kind"] in ("DaemonSet", "Deployment"):
        return one["spec"]["selector"]
    return one["roleRef"] if one["kind"].endswith("Binding") else one.get("immutable")


def by_name(items: list[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one for one in items}


@pytest.mark.parametrize("kind", ["daemonset", "deployment"])
@pytest.mark.parametrize("change", CHANGES)
def test_no_change_is_one_that_kubernetes_refuses(change: str, kind: str) -> None:
    before = by_name(written(*ROUTER, "--kind", kind).objects)
    after = by_name(written(*ROUTER, "--kind", kind, *CHANGES[change]).objects)
    for key in before.keys() & after.keys():
        assert immutable(before[key]) == immutable(after[key]), key
    # What the first had and the second has not stays in the cluster, and is about no pod any more.
    gone = {kind for kind, _, _ in before.keys() - after.keys()}
    assert gone <= {"account": {"ServiceAccount"}, "stock": {"SecurityContextConstraints"}}.get(change, set())


@pytest.mark.parametrize("change", sorted(UNCHANGED))
def test_a_change_of_variables_starts_no_pod_anew(change: str) -> None:
    before, after = (written(*ROUTER, *words).workloads[0]["spec"] for words in ((), CHANGES[change]))
    assert before == after


@pytest.mark.parametrize("change", ["drain", "account", "services", "keepalived", "secret"])
def test_another_configuration_of_the_namespace_takes_nothing_away(change: str) -> None:
    mine = by_name(written(*ROUTER).objects)
    other = by_name(
        written("geo", *ROUTER[1:], *CHANGES[change], "--virtual-ips", "10.0.1.1", "--agent-port", 99).objects
    )
    both = mine.keys() & other.keys()
    assert {kind for kind, _, _ in both} <= {"ServiceAccount"}
    # Whether it has a token is said by each pod itself.
    pods = [one["spec"]["template"]["spec"] for each in (mine, other) for (kind, _, _), one in each.items()
            if kind == "DaemonSet"]  # fmt: skip
    assert all("automountServiceAccountToken" in one for one in pods)


def test_several_configurations_have_each_the_rights_that_it_needs(tmp_path: Path) -> None:
    one, other = tmp_path / "one.env", tmp_path / "other.env"
    one.write_text("OPENSHIFT_HA_CONFIG_NAME=one\nOPENSHIFT_HA_VIRTUAL_IPS=10.0.0.1\nOPENSHIFT_HA_VRRP_ID_OFFSET=0\n"
                   "OPENSHIFT_HA_AUTH_PASS_FILE=/etc/vrrp/pass\n")  # fmt: skip
    other.write_text("OPENSHIFT_HA_CONFIG_NAME=other\nOPENSHIFT_HA_VIRTUAL_IPS=10.0.0.2\n"
                     "OPENSHIFT_HA_VRRP_ID_OFFSET=9\nOPENSHIFT_HA_VERBATIM_GLOBAL=vrrp_no_swap\n")  # fmt: skip
    words = ("--env-file", one, "--env-file", other, "-i", "eth0", "-n", "ha", "--openshift", "--secret", "vrrp")
    found = written(*words)
    constraints = {one["metadata"]["name"]: one for one in found.of_kind("SecurityContextConstraints")}
    assert ["secret" in one["volumes"] for one in constraints.values()] == [True, False]
    assert ["IPC_LOCK" in one["allowedCapabilities"] for one in constraints.values()] == [False, True]
    for workload in found.workloads:
        template = workload["spec"]["template"]
        mine = constraints[template["metadata"]["annotations"]["openshift.io/required-scc"]]
        assert mine["allowedCapabilities"] == container(workload)["securityContext"]["capabilities"]["add"]
        assert {kind for each in template["spec"]["volumes"] for kind in each if kind != "name"} == set(mine["volumes"])


def test_what_is_too_large_for_an_annotation_is_told(tmp_path: Path) -> None:
    checks = tmp_path / "hacheck.toml"
    checks.write_text((CONFIGMAPS / "hacheck.toml").read_text() + f"# {'é' * 140_000}\n")
    words = (*ROUTER, "--config", checks)
    line = (
        "ConfigMap ipfailover-router is too large for a client-side apply: pipe into kubectl apply --server-side -f -"
    )
    assert line in written(*words).said
    assert not any("--server-side" in one for one in written(*ROUTER).said)
    answer = manifests(*words, "--output", tmp_path / "a base")
    assert answer.out == (
        f"{tmp_path}/a base has a kustomize base now; kubectl apply --server-side -k '{tmp_path}/a base'\n"
    )
    checks.write_text(f"# {'x' * 1024 * 1024}\n")
    answer = manifests(*words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.count("\n") == 1
