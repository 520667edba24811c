"""Variables are found where people have them: env files, and workloads and ConfigMaps in YAML or JSON."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hachecks.ipfailover.sources import env_file, environment
from hachecks.ipfailover.variable import Place
from hachecks.ipfailover.workloads import documents
from hachecks.settings import Invalid
from tests.cli import ROOT
from tests.ipfailover.given import many

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DEPLOYMENT = (ROOT / "tests" / "ipfailover-deployment.yaml").read_text()
VIPS = "OPENSHIFT_HA_VIRTUAL_IPS"


def workload(env: object = None, **container: object) -> str:
    """A Deployment called ipf with one container."""
    whole = {"name": "keepalived", "image": "x", "env": env or [], **container}
    spec = {"template": {"spec": {"containers": [whole]}}}
    return yaml.safe_dump({"kind": "Deployment", "metadata": {"name": "ipf"}, "spec": spec})


def config_map(name: str, **data: object) -> str:
    return yaml.safe_dump({"kind": "ConfigMap", "metadata": {"name": name}, "data": data})


def texts(*files: str) -> list[dict[str, str]]:
    """The variables of each configuration in these files, F1, F2 and so on."""
    found = documents([(text, f"F{number}") for number, text in enumerate(files, 1)])
    return [{name: one.text for name, one in source.given.items()} for source in found]


def test_the_documented_deployment_is_read_with_the_version_of_its_image() -> None:
    (source,) = documents([(DEPLOYMENT, "deploy.yaml")])
    assert source.place == "deploy.yaml: Deployment ipfailover-keepalived"
    assert source.stock == (4, 20)
    assert source.given[VIPS] == ("10.0.0.100-101", f"{source.place}: {VIPS}")
    place = source.given[VIPS].place
    assert isinstance(place, Place)
    assert place.exact == f"deploy.yaml:51: Deployment ipfailover-keepalived: {VIPS}"
    assert DEPLOYMENT.splitlines()[place.line - 1].strip() == "value: 10.0.0.100-101"
    assert len(source.given) == 8


@pytest.mark.parametrize("write", [yaml.safe_dump, json.dumps], ids=["yaml", "json"])
@pytest.mark.parametrize("kind", ["List", "DeploymentList"])
def test_what_oc_prints_is_read_as_yaml_and_as_json(write: Any, kind: str) -> None:
    other = yaml.safe_load(workload([{"name": VIPS, "value": "10.0.0.9"}]))
    whole = {"kind": kind, "items": [yaml.safe_load(DEPLOYMENT), {"kind": "Service"}, other]}
    assert [one[VIPS] for one in texts(write(whole))] == ["10.0.0.100-101", "10.0.0.9"]


def test_several_documents_of_several_files_are_a_configuration_each() -> None:
    free = config_map("free", **{VIPS: "10.0.0.8", "other": "1"})
    found = texts(f"{DEPLOYMENT}\n---\n{free}", workload([{"name": VIPS, "value": "10.0.0.9"}]))
    assert [one[VIPS] for one in found] == ["10.0.0.100-101", "10.0.0.9", "10.0.0.8"]


@pytest.mark.parametrize("write", [yaml.safe_dump, partial(json.dumps, indent=1)], ids=["yaml", "json"])
def test_each_variable_of_each_document_has_its_line(write: Any) -> None:
    items = [yaml.safe_load(workload([{"name": VIPS, "value": text}])) for text in ("10.0.0.7", "10.0.0.8")]
    text = write({"kind": "List", "items": items})
    for source in documents([(text, "F")]):
        given, place = source.given[VIPS]
        assert isinstance(place, Place)
        assert given in text.splitlines()[place.line - 1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("a: &a [*a]", "line 1 contains itself"), ("{[1]: 2}", "no text"), ("? {a: b}\n: c", "the key on line 1 is no")],
)
def test_yaml_that_no_kubernetes_reads_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        documents([(text, "F")])


@pytest.mark.parametrize("kind", ["Deployment", "DeploymentConfig", "DaemonSet"])
def test_each_kind_of_workload_is_read(kind: str) -> None:
    assert texts(workload([{"name": VIPS, "value": "10.0.0.9"}]).replace("Deployment", kind)) == [{VIPS: "10.0.0.9"}]


def test_a_config_map_that_a_workload_refers_to_is_no_configuration_of_its_own() -> None:
    mapped = config_map("vips", **{VIPS: "10.0.0.7", "OPENSHIFT_HA_VIP_GROUPS": "1"})
    whole = workload([{"name": "OPENSHIFT_HA_VIP_GROUPS", "value": "2"}], envFrom=[{"configMapRef": {"name": "vips"}}])
    assert texts(whole, mapped) == [{VIPS: "10.0.0.7", "OPENSHIFT_HA_VIP_GROUPS": "2"}]
    single = [{"name": VIPS, "valueFrom": {"configMapKeyRef": {"name": "vips", "key": VIPS}}}]
    assert texts(mapped, workload(single)) == [{VIPS: "10.0.0.7"}]


def test_config_maps_of_one_name_are_those_of_their_namespaces() -> None:
    def spaced(space: str, text: str) -> str:
        return text.replace("metadata:\n", f"metadata:\n  namespace: {space}\n", 1)

    whole = workload(envFrom=[{"configMapRef": {"name": "vips"}}])
    maps = [spaced(space, config_map("vips", **{VIPS: vip})) for space, vip in (("a", "10.0.0.1"), ("b", "10.0.0.2"))]
    assert texts(*maps, spaced("b", whole)) == [{VIPS: "10.0.0.2"}, {VIPS: "10.0.0.1"}]
    assert texts(maps[0], whole) == [{VIPS: "10.0.0.1"}]
    with pytest.raises(Invalid, match="the ConfigMap vips, which is not given"):
        texts(maps[0], spaced("b", whole))


def test_a_prefix_makes_the_name() -> None:
    mapped = config_map("vips", VIRTUAL_IPS="10.0.0.7")
    whole = workload(envFrom=[{"prefix": "OPENSHIFT_HA_", "configMapRef": {"name": "vips"}}])
    assert texts(whole, mapped) == [{VIPS: "10.0.0.7"}]


def test_what_may_be_missing_is_passed_over() -> None:
    one = {"name": VIPS, "value": "10.0.0.9"}
    optional = {"name": "no", "key": "k", "optional": True}
    other = {"name": "OPENSHIFT_HA_VIP_GROUPS", "valueFrom": {"configMapKeyRef": optional}}
    assert texts(workload([one, other], envFrom=[{"configMapRef": optional}])) == [{VIPS: "10.0.0.9"}]


def test_an_address_that_only_the_node_knows_is_passed_over() -> None:
    own = {"name": "UNICAST_SOURCE_IPADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}
    assert texts(workload([{"name": VIPS, "value": "10.0.0.9"}, own])) == [{VIPS: "10.0.0.9"}]


def test_a_secret_that_is_not_read_is_told() -> None:
    text = workload([{"name": VIPS, "value": "10.0.0.9"}], envFrom=[{"secretRef": {"name": "s"}}])
    (source,) = documents([(text, "F")])
    assert source.notes == ("F: Deployment ipf: it also has the variables of a Secret, which are not read",)


def test_two_containers_with_variables_are_two_configurations() -> None:
    whole = yaml.safe_load(workload([{"name": VIPS, "value": "10.0.0.9"}]))
    containers = whole["spec"]["template"]["spec"]["containers"]
    containers += [{"name": "geo", "env": [{"name": VIPS, "value": "10.0.0.8"}]}, {"name": "exporter"}]
    found = documents([(yaml.safe_dump(whole), "F")])
    assert [one.place for one in found] == [
        "F: Deployment ipf, container keepalived",
        "F: Deployment ipf, container geo",
    ]


def test_texts_stay_as_they_are_written() -> None:
    text = workload([{"name": "OPENSHIFT_HA_VRRP_ID_OFFSET", "value": "@"}]).replace("'@'", "010")
    assert texts(text) == [{"OPENSHIFT_HA_VRRP_ID_OFFSET": "010"}]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("", "F: no DaemonSet, Deployment, DeploymentConfig or ConfigMap is in it", id="empty"),
        pytest.param("kind: Service", "or ConfigMap is in it", id="another-kind"),
        pytest.param("just words", "F: this is no Kubernetes object: it has no kind", id="text"),
        pytest.param("- kind: Deployment", "it has no kind", id="list"),
        pytest.param("kind: [", "F: this is no YAML: ", id="no-yaml"),
        pytest.param("kind: !!python/object:os.system x", "or ConfigMap is in it", id="tag"),
        pytest.param("[" * 100_000, "nest", id="deep"),
        pytest.param("- " * 100_000, "nested deeper than any Kubernetes object, limit 100 levels", id="deep-block"),
        pytest.param("kind: List\nitems: 3", "F: a List without items", id="list-without-items"),
        pytest.param(workload(), "F: no OPENSHIFT_HA_* variable is in it", id="no-variables"),
        pytest.param("kind: Deployment\nspec: 3", "F: Deployment : spec is no mapping", id="spec"),
        pytest.param(
            workload([{"name": VIPS, "value": "1"}, {"name": VIPS, "value": "2"}]),
            f"F: Deployment ipf: {VIPS} is set twice; keep one",
            id="twice",
        ),
        pytest.param(
            workload([{"name": VIPS, "value": ["10.0.0.1"]}]),
            f"F: Deployment ipf: {VIPS}: the value is no text; put it between quotes",
            id="value-list",
        ),
        pytest.param(
            json.dumps(yaml.safe_load(workload([{"name": VIPS, "value": 3}]))),
            f"F: Deployment ipf: {VIPS}: the value is no text; put it between quotes",
            id="json-number",
        ),
        pytest.param(
            workload([{"name": VIPS, "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
            f"F: Deployment ipf: {VIPS}: it comes from secretKeyRef, which is not known here; give it by flag",
            id="secret",
        ),
        pytest.param(
            config_map("vips", a="b") + "---\n" + config_map("vips", a="c"),
            "F: a ConfigMap is in it twice; keep one",
            id="config-map-twice",
        ),
        pytest.param(
            workload(envFrom=[{"configMapRef": {"name": "vips"}}]),
            "F: Deployment ipf: it has variables of the ConfigMap vips, which is not given; name its file",
            id="config-map-elsewhere",
        ),
        pytest.param(
            workload([{"name": VIPS, "valueFrom": {"configMapKeyRef": {"name": "vips", "key": "no"}}}])
            + "---\n"
            + config_map("vips", a="b"),
            f"F: Deployment ipf: {VIPS}: ConfigMap vips has no key no",
            id="no-such-key",
        ),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(Invalid, match=r"^F: ") as caught:
        documents([(text, "F")])
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_env_file_is_read_as_a_shell_would() -> None:
    text = (
        "# VIPs\n\nexport OPENSHIFT_HA_VIRTUAL_IPS='10.0.0.1, 10.0.0.2'  # two\nOPENSHIFT_HA_VIP_GROUPS=1 # one\n"
        'OPENSHIFT_HA_CONFIG_NAME="ipf#1"\nPATH=$PATH:/x\nOPENSHIFT_HA_NODES=\n'
    )
    source = env_file(text, "router.env")
    assert {name: one.text for name, one in source.given.items()} == {
        VIPS: "10.0.0.1, 10.0.0.2",
        "OPENSHIFT_HA_VIP_GROUPS": "1",
        "OPENSHIFT_HA_CONFIG_NAME": "ipf#1",
        "OPENSHIFT_HA_NODES": "",
    }
    assert source.given[VIPS].place == f"router.env:3: {VIPS}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("10.0.0.1", "x.env:1: expected NAME=VALUE, not 10.0.0.1"),
        (f"\n{VIPS} = 10.0.0.1", "x.env:2: expected NAME=VALUE"),
        (f"{VIPS}=1\n{VIPS}=2", f"x.env:2: {VIPS} is set twice; keep one"),
        (f"{VIPS}='1", f"x.env:1: {VIPS}: the quotes do not match"),
        (f"{VIPS}='1' 2", "the quotes do not match"),
    ],
)
def test_a_wrong_line_of_an_env_file_is_told_with_its_number(text: str, complaint: str) -> None:
    with pytest.raises(Invalid) as caught:
        env_file(text, "x.env")
    assert complaint in str(caught.value)


def test_only_what_is_for_ipfailover_is_taken_from_the_environment() -> None:
    environ = {VIPS: "10.0.0.1", "PATH": "/x", "HA_EXCLUDED_VRRP_IDS": "9", "OPENSHIFT_HA_NONSENSE": "1"}
    assert environment(environ).given.keys() == environ.keys() - {"PATH"}


leaves = st.one_of(st.text(max_size=8), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False))
words = st.sampled_from(
    ["kind", "metadata", "name", "spec", "template", "containers", "env", "envFrom", "value", "valueFrom", "data",
     "items", "configMapRef", "configMapKeyRef", "key", VIPS, "Deployment", "ConfigMap", "List"]
)  # fmt: skip
trees = st.recursive(
    st.one_of(leaves, words),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(words, inner, max_size=5)),
    max_leaves=20,
)


def changed(tree: object, at: int, put: object, count: list[int]) -> object:
    """The tree with its node number `at` replaced."""
    count[0] += 1
    if count[0] == at:
        return put
    if isinstance(tree, dict):
        return {key: changed(value, at, put, count) for key, value in tree.items()}
    if isinstance(tree, list):
        return [changed(value, at, put, count) for value in tree]
    return tree


def survive(text: str) -> None:
    try:
        found = documents([(text, "F")])
    except Invalid as error:
        complaint = str(error)
        assert complaint.startswith("F")
        return
    assert all(isinstance(one.text, str) for source in found for one in source.given.values())


@many
@given(st.integers(1, 120), trees)
def test_a_deployment_with_anything_in_it_is_read_or_refused(at: int, put: object) -> None:
    whole: Mapping[str, Any] = yaml.safe_load(DEPLOYMENT)
    survive(json.dumps(changed(whole, at, put, [0])))
    survive(yaml.safe_dump(changed(whole, at, put, [0])))


@many
@given(st.text(max_size=60), st.integers(0, len(DEPLOYMENT)), st.integers(0, 40))
def test_a_deployment_that_is_mangled_is_read_or_refused(put: str, at: int, cut: int) -> None:
    survive(DEPLOYMENT[:at] + put + DEPLOYMENT[at + cut :])


@many
@given(st.text(max_size=80))
def test_any_env_file_is_read_or_refused(text: str) -> None:
    try:
        assert env_file(text, "F").place == "F"
    except Invalid as error:
        complaint = str(error)
        assert complaint.startswith("F:")
