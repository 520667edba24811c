"""Whatever is given to lint, it answers: no crash, no finding without a line of its own, nothing that takes long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from hachecks.ipfailover.lint import formats
from hachecks.ipfailover.lint.catalogue import lint
from hachecks.ipfailover.lint.reading import conf, is_keepalived_conf, read
from hachecks.ipfailover.lint.subject import Cluster, subject
from hachecks.settings import Invalid
from tests.ipfailover.given import any_environments, environments, many
from tests.ipfailover.lint_cases_ours import FIRST, OURS, SECOND
from tests.ipfailover.linting import GOOD_CONF, GOOD_DEPLOYMENT, Given
from tests.ipfailover.linting import changed as changed_text
from tests.ipfailover.test_sources import changed, trees

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.ipfailover.lint.rule import Finding

WHOLE: Mapping[str, Any] = yaml.safe_load(GOOD_DEPLOYMENT)
SERVICE = {"kind": "Service", "spec": {"externalIPs": ["10.0.0.9"], "ports": [{"nodePort": 30080}]}, "status": {}}
MAP = {"kind": "ConfigMap", "metadata": {"name": "hacheck"}, "data": {"hacheck": "#!/bin/sh\n", "k": GOOD_CONF}}
JOB = {"kind": "Job", "spec": {"template": {"spec": {"containers": [{"command": ["remove-failover.sh"]}]}}}}
LIST = {"kind": "List", "items": [WHOLE, SERVICE, MAP, JOB]}
TWO = {"kind": "List", "items": [*yaml.safe_load_all(OURS), *yaml.safe_load_all(changed_text(OURS, *SECOND, FIRST))]}
LINES = sorted(set(GOOD_CONF.splitlines(keepends=True)))
OTHERS = [
    "    state MASTER\n", "    nopreempt\n", "    version 3\n", "    advert_int x\n", "    weight -\n", "}\n", "{\n",
    "    authentication {\n    auth_pass\n    }\n", "    track_script {\n    service weight\n    }\n",
    "    unicast_peer {\n    x\n    }\n", "vrrp_script {\n}\n", "    timeout 1e9\n", '    notify "a|b\n',
    "    strict_mode\n", "vrrp_instance\n",
    "    virtual_ipaddress\n", "    priority $(_RANDOM)\n", "    unicast_src_ip\n", "global_defs {\n", "    script\n",
]  # fmt: skip
modes = st.sampled_from(["", "ipvs", "nftables"]).map(lambda mode: Cluster("ocp", mode))


def lines(found: list[Finding]) -> list[str]:
    text = formats.as_text(found)
    assert len(text.splitlines()) == len(found)
    return text.splitlines()


def survive(text: str, cluster: Cluster = Cluster()) -> None:  # noqa: B008
    try:
        lines(Given((text,), cluster=cluster).findings())
    except Invalid as error:
        said = str(error)
        assert said.startswith("F1")
        assert "\n" not in said


@many
@given(st.integers(1, 200), trees, modes)
def test_objects_with_anything_in_them_are_judged_or_refused(at: int, put: object, cluster: Cluster) -> None:
    survive(yaml.safe_dump(changed(LIST, at, put, [0])), cluster)


@many
@given(st.integers(1, 150), trees)
def test_pods_of_ours_with_anything_in_them_are_judged_or_refused(at: int, put: object) -> None:
    survive(yaml.safe_dump(changed(TWO, at, put, [0])))


@many
@given(st.text(max_size=60), st.integers(0, len(GOOD_DEPLOYMENT)), st.integers(0, 40))
def test_a_deployment_that_is_mangled_is_judged_or_refused(put: str, at: int, cut: int) -> None:
    survive(GOOD_DEPLOYMENT[:at] + put + GOOD_DEPLOYMENT[at + cut :])


@many
@given(st.lists(st.one_of(environments, any_environments), max_size=3))
def test_any_variables_are_judged(environs: list[dict[str, str]]) -> None:
    items = [
        {"kind": "ConfigMap", "metadata": {"name": str(number)}, "data": environ}
        for number, environ in enumerate(environs)
    ]
    survive(yaml.safe_dump({"kind": "List", "items": items}))


@many
@given(st.lists(st.one_of(st.sampled_from(LINES), st.sampled_from(OTHERS), st.text(max_size=20)), max_size=40))
def test_any_keepalived_conf_is_judged(written: list[str]) -> None:
    text = "".join(written)
    is_keepalived_conf(text)
    found = read((), (), (conf(text, "C1"), conf(GOOD_CONF, "C2")))
    for line in lines(lint(subject((), {}, confs=found.confs))):
        assert line.startswith(("C1:", "C2:"))


@many
@given(st.integers(0, len(GOOD_CONF.splitlines())), st.sampled_from(OTHERS))
def test_the_good_keepalived_conf_with_an_odd_line_is_judged(at: int, put: str) -> None:
    written = GOOD_CONF.splitlines(keepends=True)
    lines(Given(confs=("".join([*written[:at], put, *written[at:]]), GOOD_CONF)).findings())


def test_a_name_that_holds_a_line_end_and_a_finding_forges_none() -> None:
    evil = "x\nF1:1: error HA999: forged\x1b[2J\u2028"
    whole = changed(WHOLE, 0, None, [0])
    assert isinstance(whole, dict)
    whole["metadata"]["name"] = evil
    whole["spec"]["template"]["spec"]["containers"][0]["name"] = evil
    whole["spec"]["template"]["spec"]["containers"][0]["env"] += [{"name": f"OPENSHIFT_HA_{evil}", "value": evil}]
    whole["spec"]["template"]["spec"]["hostNetwork"] = False
    found = lines(Given((yaml.safe_dump(whole),)).findings())
    assert found
    assert all(line.isprintable() and not line.startswith("F1:1: ") for line in found)


def test_very_much_is_judged() -> None:
    blocks = "".join(
        f"vrrp_instance V{number} {{\ninterface e\nvirtual_router_id {number % 255 + 1}\npriority 9\n"
        f"virtual_ipaddress {{\n10.{number // 250}.{number % 250}.1\n}}\n}}\n"
        for number in range(1000)
    )
    assert len(lint(subject((), {}, confs=(conf(blocks, "C1"), conf(blocks, "C2"))))) > 1000
    services = yaml.safe_dump_all([{**SERVICE, "metadata": {"name": str(number)}} for number in range(1000)])
    assert len(Given((services,)).findings()) == 1000
