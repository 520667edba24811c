"""The pods of manifests have the rights, the files and the command line that their programs need, and no more."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from hachecks.agent.options import AgentOptions
from hachecks.click_settings import SettingsCommand
from hachecks.ipfailover.commands.run import RunCommand
from hachecks.ipfailover.follow.rights import CLUSTER_RULES, namespace_rules
from hachecks.settings import Invalid, build
from tests.cli import ROOT
from tests.failover.namespace import wait_until
from tests.ipfailover.linting import Given
from tests.ipfailover.manifesting import CONFIGMAPS, EXECUTABLE, container, env_files, run, valid, written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ROUTER = ("router", "--virtual-ips", "10.0.0.1-2", "-i", "eth0", "--nodes", "a,b", "--vrrp-id-offset", 5)
SMALL = ROOT / "hachecks/executable/prelude.sh"
STOCK = (*ROUTER, "--keep-stock", "--executable", SMALL, "--image", "example.test/ose-keepalived-ipfailover:v4.20")


def pod(*words: object) -> dict[str, Any]:
    (workload,) = written(*words).workloads
    return dict(workload["spec"]["template"]["spec"])


def ours(*words: object, name: str = "ipfailover") -> dict[str, Any]:
    (workload,) = written(*words).workloads
    return container(workload, name)


def told(command: type, words: list[str]) -> Any:
    """What a command understands of its command line, which the kubelet has filled in."""
    found: list[Any] = []

    def act(values: Mapping[str, Any], _: Mapping[str, str]) -> int:
        found.append(build(command, command.__name__, values, {}, {}))
        return 0

    filled = [word.replace("$(NODE_IP)", "fd00::9") for word in words]
    SettingsCommand("x", (command,), act).main(filled, standalone_mode=False)
    return found[0]


def test_the_pod_is_told_what_hacheck_ipfailover_run_understands() -> None:
    one = ours(*ROUTER, "--spread", "hash", "-n", "ha", "--follow-services", "--service-range", "10.0.0.50-60",
               "--external-ip-range", "10.1.0.0/24", "--ledger-config-map", "ids")  # fmt: skip
    assert one["command"] == ["hacheck", "ipfailover", "run"]
    command = told(RunCommand, one["args"])
    assert (command.env_file, command.ledger) == (("/etc/hacheck/ipfailover.env",), "/etc/hacheck/ledger.json")
    assert list(map(repr, command.listen)) == ["[fd00::9]:10112", "127.0.0.1:10112"]
    assert (command.spread, command.follow_services, command.service_range) == ("hash", True, ("10.0.0.50-60",))
    assert (command.external_ip_range, command.ledger_config_map) == (("10.1.0.0/24",), "ids")


def test_it_follows_nothing_unless_it_is_asked_to() -> None:
    assert not told(RunCommand, ours(*ROUTER)["args"]).follow_services
    assert pod(*ROUTER)["automountServiceAccountToken"] is False
    with pytest.raises(Invalid, match="--service-range needs --follow-services"):
        run(*ROUTER, "--service-range", "10.0.0.9")


def test_who_follows_services_needs_no_vip_of_his_own() -> None:
    words = ("web", "-i", "eth0", "--nodes", "a,b", "-n", "ha", "--follow-services", "--service-range", "10.0.0.50-60")
    found = written(*words)
    valid(found.objects)
    data = found.one("ConfigMap")["data"]
    assert "VIRTUAL_IPS" not in data["ipfailover.env"]
    assert Given((found.text,)).codes() == set()
    with pytest.raises(Invalid, match="web: no VIP is named"):
        run(*words[:7])
    with pytest.raises(Invalid, match="OPENSHIFT_HA_NETWORK_INTERFACE: no interface is named"):
        run("web", *words[3:])
    two = [word for one in ("router", "geo-cache") for word in ("--env-file", CONFIGMAPS / f"{one}.env")]
    with pytest.raises(Invalid, match="--follow-services: one configuration serves Services, and these are several"):
        run(*two, "-n", "ha", "--follow-services")


def test_who_follows_services_has_the_rights_for_it_and_no_others() -> None:
    found = written(*ROUTER, "-n", "ha", "--follow-services", "--ledger-config-map", "ids")
    plain = [
        [{key: list(values) for key, values in one.items()} for one in rules]
        for rules in (CLUSTER_RULES, namespace_rules("ids"))
    ]
    assert [found.one(kind)["rules"] for kind in ("ClusterRole", "Role")] == plain
    for kind in ("ClusterRole", "Role"):
        binding = found.one(f"{kind}Binding")
        assert binding["roleRef"] == {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": kind,
            "name": found.one(kind)["metadata"]["name"],
        }
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "ipfailover", "namespace": "ha"}]
    assert pod(*ROUTER, "-n", "ha", "--follow-services", "--ledger-config-map", "ids")["automountServiceAccountToken"]


def test_the_end_of_the_pod_leaves_time_for_that_of_keepalived_and_for_delivery() -> None:
    command = told(RunCommand, ours(*ROUTER)["args"])
    assert pod(*ROUTER)["terminationGracePeriodSeconds"] >= command.stop_timeout + 10


def test_it_has_capabilities_each_with_its_reason() -> None:
    text = written(*ROUTER).text
    security = ours(*ROUTER)["securityContext"]
    capabilities = security.pop("capabilities")
    assert capabilities["drop"] == ["ALL"]
    assert {"NET_ADMIN", "NET_RAW"} <= set(capabilities["add"]) <= {"NET_ADMIN", "NET_RAW", "SETGID"}
    assert security == {
        "runAsUser": 0,
        "runAsNonRoot": False,
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
    }
    lines = text.splitlines()
    for name in capabilities["add"]:
        assert lines[lines.index(f"                - {name}") - 1].lstrip().startswith("# ")
    assert pod(*ROUTER)["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}


@pytest.mark.parametrize(("line", "name"), [("vrrp_priority -20", "SYS_NICE"), ("vrrp_no_swap", "IPC_LOCK")])
def test_what_keepalived_is_asked_for_beyond_has_its_capability_as_well(line: str, name: str) -> None:
    words = (*ROUTER, "--verbatim-global", line, "--openshift", "-n", "ha")
    added = ours(*words)["securityContext"]["capabilities"]["add"]
    assert added[-1] == name
    assert written(*words).one("SecurityContextConstraints")["allowedCapabilities"] == added


def test_the_agent_is_asked_where_it_listens() -> None:
    one = ours(*ROUTER, "--agent-port", 9999)
    assert one["ports"] == [{"name": "metrics", "containerPort": 9999, "hostPort": 9999, "protocol": "TCP"}]
    asked = {name: one[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {each["port"] for each in asked.values()} == {"metrics"}
    assert asked["liveness"]["path"] == "/-/healthy"
    assert asked["readiness"]["path"] == "/-/ready"


def mounts(one: dict[str, Any]) -> dict[str, bool]:
    return {each["mountPath"]: each.get("readOnly", False) for each in one["volumeMounts"]}


def test_it_writes_to_memory_and_to_the_drain_alone() -> None:
    assert mounts(ours(*ROUTER)) == {
        "/etc/hacheck": True,
        "/run": False,
        "/etc/keepalived": False,
        "/tmp": False,
        "/var/lib/hacheck": False,
    }
    volumes = {one["name"]: one for one in pod(*ROUTER)["volumes"]}
    assert {name for name, one in volumes.items() if "emptyDir" in one} == {"run", "keepalived", "tmp"}
    assert all(volumes[name]["emptyDir"]["medium"] == "Memory" for name in ("run", "keepalived", "tmp"))
    assert volumes["drain"]["hostPath"]["path"] == "/var/lib/hacheck/ipfailover-router"


@pytest.mark.parametrize("path", ["/run/hacheck/drain", "/tmp/drain"])
def test_a_drain_that_is_not_meant_to_last_has_no_volume(path: str) -> None:
    assert [one["name"] for one in pod(*ROUTER, "--drain-file", path)["volumes"]] == [
        "config",
        "run",
        "keepalived",
        "tmp",
    ]


@pytest.mark.parametrize("on_fail", ["fault", "last-resort"])
def test_more_nodes_than_can_be_drained_go_without(on_fail: str) -> None:
    for count, names in ((84, ["drain"]), (120, [])):
        nodes = ",".join(f"node-{number}" for number in range(count))
        volumes = pod(*ROUTER, "--nodes", nodes, "--on-fail", on_fail)["volumes"]
        assert [one["name"] for one in volumes if "hostPath" in one] == names


def test_on_openshift_only_a_directory_of_the_node_takes_another_type_of_selinux() -> None:
    words = (*ROUTER, "--openshift", "-n", "ha")
    assert pod(*words)["securityContext"]["seLinuxOptions"] == {"type": "spc_t"}
    constraints = written(*words, "--drain-volume", "pod").one("SecurityContextConstraints")
    assert "seLinuxOptions" not in pod(*words, "--drain-volume", "pod")["securityContext"]
    assert constraints["seLinuxContext"] == {"type": "MustRunAs"}
    assert constraints["allowHostDirVolumePlugin"] is False
    assert "hostPath" not in constraints["volumes"]


def test_the_pod_has_the_constraints_that_are_written_for_it() -> None:
    found = written(*ROUTER, "--openshift", "-n", "ha")
    (workload,) = found.workloads
    name = found.one("SecurityContextConstraints")["metadata"]["name"]
    assert workload["spec"]["template"]["metadata"]["annotations"]["openshift.io/required-scc"] == name
    (rule,) = found.one("Role")["rules"]
    assert (rule["resourceNames"], rule["verbs"]) == ([name], ["use"])
    volumes = {kind for one in pod(*ROUTER, "--openshift", "-n", "ha")["volumes"] for kind in one if kind != "name"}
    assert volumes == set(found.one("SecurityContextConstraints")["volumes"])


def test_elsewhere_the_namespace_lets_it_in_or_somebody_is_told_how() -> None:
    found = written(*ROUTER, "-n", "ha", "--create-namespace", "--image", "example.test/hachecks:1")
    labels = found.one("Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"
    assert found.said == []
    (line,) = written(*ROUTER, "-n", "ha", "--image", "example.test/hachecks:1").said
    assert line.endswith("kubectl label namespace ha pod-security.kubernetes.io/enforce=privileged")
    assert {one["metadata"].get("namespace") for one in found.objects if one["kind"] != "Namespace"} == {"ha"}


def test_a_secret_is_mounted_where_variables_look_for_it() -> None:
    one = (*ROUTER, "--auth-pass-file", "/etc/vrrp/password", "--secret", "vrrp")
    assert mounts(ours(*one))["/etc/vrrp"] is True
    (volume,) = (each for each in pod(*one)["volumes"] if "secret" in each)
    assert volume["secret"] == {"secretName": "vrrp", "defaultMode": 0o400}


def test_a_secret_that_hacheck_toml_names_is_mounted_where_it_is_told() -> None:
    one = (
        *ROUTER,
        "--secret",
        "slack=/etc/keepalive-secrets",
        "--secret",
        "vrrp",
        "--auth-pass-file",
        "/etc/vrrp/pass",
    )
    assert {path: mounts(ours(*one))[path] for path in ("/etc/keepalive-secrets", "/etc/vrrp")} == {
        "/etc/keepalive-secrets": True,
        "/etc/vrrp": True,
    }
    assert [each["secret"]["secretName"] for each in pod(*one)["volumes"] if "secret" in each] == ["slack", "vrrp"]
    beforehand = (*ROUTER, "--secret", "vrrp=/etc/vrrp", "--openshift", "-n", "ha")
    assert mounts(ours(*beforehand))["/etc/vrrp"] is True
    assert "secret" in written(*beforehand).one("SecurityContextConstraints")["volumes"]
    with_file = (*beforehand, "--auth-pass-file", "/etc/vrrp/pass")
    assert pod(*with_file) == pod(*beforehand), (
        "what a change at an instant needs is there before, and starts no pod anew"
    )


def test_the_image_is_pulled_with_secrets() -> None:
    assert pod(*ROUTER, "--pull-secret", "one", "--pull-secret", "two")["imagePullSecrets"] == [
        {"name": "one"},
        {"name": "two"},
    ]


def test_a_secret_is_pulled_with_once() -> None:
    assert pod(*ROUTER, "--pull-secret", "one", "--pull-secret", "one")["imagePullSecrets"] == [{"name": "one"}]


def test_a_key_that_signs_adverts_is_mounted_like_a_password() -> None:
    one = (*ROUTER, "--vrrp-version", 3, "--auth-hmac-key-file", "/etc/vrrp/key", "--secret", "vrrp")
    assert mounts(ours(*one))["/etc/vrrp"] is True


def test_one_config_map_may_be_at_two_directories() -> None:
    one = mounts(ours(*ROUTER, "--mount", "a=/etc/scripts", "--mount", "a=/scripts"))
    assert {"/etc/scripts", "/scripts"} <= set(one)


def test_scripts_of_ones_own_are_mounted() -> None:
    one = (*ROUTER, "--mount", "mycustomcheck=/etc/scripts", "--check-script", "sh /etc/scripts/my.sh")
    assert mounts(ours(*one))["/etc/scripts"] is True


def test_checks_are_read_where_they_are_mounted() -> None:
    one = ours(*env_files("agent"))
    assert {"name": "HACHECK_CONFIG", "value": "/etc/hacheck/hacheck.toml"} in one["env"]
    config_map = written(*env_files("agent")).one("ConfigMap")
    assert config_map["data"]["hacheck.toml"] == (CONFIGMAPS / "hacheck.toml").read_text()


@pytest.mark.parametrize("words", [ROUTER, STOCK], ids=["ours", "stock"])
def test_the_agent_has_a_hacheck_toml_in_any_case_without_which_it_is_never_ready(words: tuple[object, ...]) -> None:
    text = written(*words).one("ConfigMap")["data"]["hacheck.toml"]
    assert [line for line in text.splitlines() if not line.startswith("#")] == []


def test_every_taint_is_borne_on_chosen_nodes_and_no_others_elsewhere() -> None:
    assert pod(*ROUTER)["tolerations"] == [{"operator": "Exists"}]
    anywhere = pod("router", "--virtual-ips", "10.0.0.1", "-i", "eth0")["tolerations"]
    assert all(one["key"].startswith("node.kubernetes.io/") for one in anywhere)
    assert "NoExecute" not in {one["effect"] for one in pod(*ROUTER, "--kind", "deployment", "-r", 2)["tolerations"]}, (
        "of a lost node the pod comes to another"
    )


def test_a_deployment_has_a_pod_on_a_node_at_most() -> None:
    words = (*ROUTER, "--kind", "deployment")
    (workload,) = written(*words).workloads
    assert workload["spec"]["replicas"] == 2
    assert workload["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    (term,) = pod(*words)["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert term["labelSelector"]["matchLabels"].items() <= workload["spec"]["template"]["metadata"]["labels"].items()


def test_drains_of_several_nodes_wait_for_each_other_where_a_drain_evicts_the_pods() -> None:
    found = written(*ROUTER, "--kind", "deployment", "-n", "ha")
    budget = found.one("PodDisruptionBudget")
    (workload,) = found.workloads
    assert budget["spec"]["selector"] == workload["spec"]["selector"]
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    # A drain leaves those of a DaemonSet, whose number Kubernetes does not know to count by.
    assert written(*ROUTER, "-n", "ha").of_kind("PodDisruptionBudget") == []


@pytest.mark.parametrize("way", [(), ("--kind", "deployment")], ids=["daemonset", "deployment"])
def test_a_node_has_no_pod_beside_the_one_whose_place_it_takes(tmp_path: Path, way: tuple[str, ...]) -> None:
    deployment = ROOT / "tests/ipfailover-deployment-good.yaml"
    words = ("--config", CONFIGMAPS / "hacheck.toml", *way)
    found = written(deployment, *words)
    rules = pod(deployment, *words)["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rules[-1]["labelSelector"] == {"matchLabels": {"ipfailover": "hello-openshift"}}
    assert len(rules) == 1 + bool(way)
    # Its own pods are replaced as the workload does it.
    objects = tmp_path / "objects.yaml"
    objects.write_text(found.text)
    again = pod(objects, *words).get("affinity", {}).get("podAntiAffinity", {})
    assert len(again.get("requiredDuringSchedulingIgnoredDuringExecution", ())) == bool(way)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--virtual-ips", "10.0.0.1"), "router: nobody names its nodes; give --selector"),
        (
            ("--virtual-ips", "10.0.0.1", "--unicast-peers", "10.9.0.1,10.9.0.2"),
            "its nodes are told by address",
        ),
        (("--virtual-ips", "10.0.0.1", "--kind", "deployment"), "router: with one pod no other node can take over"),
        (("--virtual-ips", "10.0.0.0/30"), "the network address 10.0.0.0 and the broadcast address 10.0.0.3"),
    ],
)
def test_what_is_to_be_known_is_said_beside_the_objects(words: tuple[str, ...], line: str) -> None:
    said = run("router", "-i", "eth0", *words).err
    assert any(line in one for one in said), said


def test_what_the_kubelet_would_expand_reaches_openshifts_image_as_it_was_given(tmp_path: Path) -> None:
    check = "sh -c 'test $$ && echo $(OPENSHIFT_HA_CONFIG_NAME) $(id) $1$'"
    found = written(*STOCK, "--check-script", check)
    value = environment(ours(*STOCK, "--check-script", check))["OPENSHIFT_HA_CHECK_SCRIPT"]
    assert value == "sh -c 'test $$$ && echo $$(OPENSHIFT_HA_CONFIG_NAME) $$(id) $1$'"
    (tmp_path / "objects.yaml").write_text(found.text)
    again = environment(ours(tmp_path / "objects.yaml", *STOCK[9:]))
    assert again["OPENSHIFT_HA_CHECK_SCRIPT"] == value


def test_the_nodes_the_taints_and_the_secrets_of_the_deployment_that_you_have_stay(tmp_path: Path) -> None:
    (deployment,) = yaml.safe_load_all((ROOT / "tests/ipfailover-deployment-good.yaml").read_text())
    taint = {"key": "edge", "operator": "Exists", "effect": "NoSchedule"}
    given = {"nodeSelector": {"edge": ""}, "tolerations": [taint], "imagePullSecrets": [{"name": "pull"}]}
    deployment["spec"]["template"]["spec"].update(given)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(deployment))
    words = (tmp_path / "mine.yaml", "--config", CONFIGMAPS / "hacheck.toml")
    assert pod(*words)["nodeSelector"] == {"kubernetes.io/os": "linux", "edge": ""}
    assert taint in pod(*words)["tolerations"]
    assert "imagePullSecrets" not in pod(*words)
    assert pod(*words, "--selector", "b=c")["nodeSelector"] == {"kubernetes.io/os": "linux", "b": "c"}
    stock = (*words, "--keep-stock", "--executable", SMALL)
    assert pod(*stock)["imagePullSecrets"] == [{"name": "pull"}]
    assert pod(*stock, "--pull-secret", "other")["imagePullSecrets"] == [{"name": "other"}]


def environment(one: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in one["env"] if "value" in each}


def test_openshifts_image_has_its_variables_in_its_environment() -> None:
    one = ours(*STOCK, "--virtual-ips", "10.0.0.0/30,10.0.0.9", "-r", 3)
    assert environment(one) == {
        "OPENSHIFT_HA_CONFIG_NAME": "router",
        "OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1,10.0.0.2,10.0.0.9",
        "OPENSHIFT_HA_VRRP_ID_OFFSET": "5",
        "OPENSHIFT_HA_REPLICA_COUNT": "3",
        "OPENSHIFT_HA_NETWORK_INTERFACE": "eth0",
        "OPENSHIFT_HA_CHECK_SCRIPT": "sh /etc/keepalive/hacheck tcp 127.0.0.1:80",
        "OPENSHIFT_HA_NOTIFY_SCRIPT": "sh /etc/keepalive/hacheck notify",
    }
    assert "--nodes: the stock image does not know it, and goes without" in run(*STOCK).err
    assert one["readinessProbe"]["exec"]["command"] == ["sh", "/etc/keepalive/hacheck", "tcp", "127.0.0.1:80"]


def test_an_image_that_nobody_can_pull_is_told() -> None:
    for words, option in ((ROUTER, "--image"), (STOCK, "--agent-image")):
        (line,) = (one for one in run(*words).err if "registry" in one)
        assert line.endswith(f"is in no registry; build it by the Containerfile, push it, and give {option}")
        assert not any("registry" in one for one in run(*words, option, "example.test/hachecks:1").err)
    assert ours(*STOCK, "--agent-image", "example.test/x:1", name="hacheck-agent")["image"] == "example.test/x:1"
    with pytest.raises(Invalid, match="--agent-image is for --keep-stock"):
        run(*ROUTER, "--agent-image", "x")


def test_a_node_port_is_asked_as_one() -> None:
    one = ours(*STOCK, "-w", 30080)
    assert environment(one)["OPENSHIFT_HA_CHECK_SCRIPT"] == "sh /etc/keepalive/hacheck nodeport 30080"


def test_the_agent_beside_openshifts_image_understands_its_command_line() -> None:
    one = ours(*STOCK, name="hacheck-agent")
    assert one["command"] == ["hacheck", "agent"]
    assert list(map(repr, told(AgentOptions, one["args"]).listen)) == ["[fd00::9]:10112", "127.0.0.1:10112"]
    assert mounts(one).items() <= {**mounts(ours(*STOCK)), "/etc/keepalived": True}.items()


@pytest.mark.executable
def test_its_liveness_is_that_keepalived_runs_the_check(tmp_path: Path) -> None:
    check = environment(ours(*STOCK, "-w", 1))["OPENSHIFT_HA_CHECK_SCRIPT"]
    words = check.replace("/etc/keepalive/hacheck", str(EXECUTABLE)).split()
    probe = [
        word.replace("/run/hacheck", str(tmp_path))
        for word in ours(*STOCK, "-w", 1)["livenessProbe"]["exec"]["command"]
    ]
    assert subprocess.run(probe, check=False, capture_output=True).returncode == 1
    environ = {**os.environ, "HACHECK_STATE_DIR": str(tmp_path)}

    def verdicts() -> list[Path]:
        return [one for one in tmp_path.glob("verdict-*") if "~" not in one.name]

    def is_kept() -> bool:
        """Keepalived runs it again and again, since no check waits for a slow disk."""
        subprocess.run(words, env=environ, check=False, capture_output=True)
        return bool(verdicts())

    wait_until("a verdict is kept", is_kept)
    assert subprocess.run(probe, check=False).returncode == 0
    (results,) = verdicts()
    os.utime(results, (time.time() - 90,) * 2)
    assert subprocess.run(probe, check=False).returncode == 1


def test_where_nothing_is_checked_the_agent_is_asked() -> None:
    one = ours(*STOCK, "-w", 0)
    assert "livenessProbe" not in one
    assert one["readinessProbe"]["httpGet"] == {"path": "/-/ready", "port": 10112}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ("--stock", "4.14"),
            "the image of OpenShift 4.14 has no Python 3.9, which the executable needs",
        ),
        (("--check-script", "/etc/keepalive/my.sh"), "/etc/keepalive/my.sh is in no volume of the pod"),
        (("-n", "ha", "--follow-services"), "--follow-services is for our image; leave out --keep-stock"),
        (
            ("--executable", "pyproject.toml"),
            "pyproject.toml: this is no executable of ours",
        ),
    ],
)
def test_what_openshifts_image_cannot_do_is_refused(words: tuple[object, ...], why: str) -> None:
    with pytest.raises(Invalid) as refusal:
        run(*STOCK, *words)
    assert why in str(refusal.value)


def test_ids_that_openshifts_image_would_count_otherwise_are_refused(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.json"
    ledger.write_text(written(*ROUTER, "--virtual-ips", "10.0.0.1-4").one("ConfigMap")["data"]["ledger.json"])
    why = "router: OpenShift's image gives 10.0.0.3 the id 6, and the plan 8; give another OPENSHIFT_HA_VRRP_ID_OFFSET"
    with pytest.raises(Invalid, match=why):
        run(*STOCK, "--virtual-ips", "10.0.0.3-4", "--ledger", ledger)


def test_its_image_is_that_of_the_deployment_that_has_it(tmp_path: Path) -> None:
    deployment = ROOT / "tests/ipfailover-deployment-good.yaml"
    words = (deployment, "--config", CONFIGMAPS / "hacheck.toml", "--keep-stock", "--executable", SMALL)
    assert ours(*words)["image"] == "example.test/ose-keepalived-ipfailover-rhel9:v4.20"
    assert environment(ours(*words))["OPENSHIFT_HA_PREEMPTION"] == "nopreempt"
    (tmp_path / "x.env").write_text("OPENSHIFT_HA_VIRTUAL_IPS=10.0.0.1\n")
    with pytest.raises(Invalid, match="--keep-stock: no FILE tells the image; give --image"):
        run("--env-file", tmp_path / "x.env", "--keep-stock", "--executable", SMALL)
