"""What --against compares with, in whatever form somebody has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hachecks.ipfailover.against import against
from hachecks.ipfailover.document import written
from hachecks.ipfailover.older import Older, older
from hachecks.ipfailover.variable import Given
from hachecks.settings import Invalid
from tests.cli import hacheck
from tests.ipfailover.given import masters, plan, plan_and_ledger, settings, variables
from tests.ipfailover.test_plan_command import piped
from tests.ipfailover.test_plan_command import plan as run

if TYPE_CHECKING:
    from pathlib import Path

    from hachecks.ipfailover.ledger import Ledger

OLD = {"VIRTUAL_IPS": "10.0.0.1-4", "NODES": "a,b,c", "CONFIG_NAME": "ipf", "VRRP_ID_OFFSET": "10"}
ENV_FILE = "".join(f"{name}={text}\n" for name, text in variables(**OLD).items())


def workload(kind: str, short: dict[str, str], image: str = "") -> str:
    env = [{"name": name, "value": text} for name, text in variables(**short).items()]
    container = {"name": "x", "env": env, **({"image": image} if image else {})}
    spec = {"template": {"spec": {"containers": [container]}}}
    return json.dumps({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "ipf"}, "spec": spec})


def read(
    text: str,
    nodes: str = "",
    ledger: Ledger | None = None,
    placement: str | None = None,
    stock: tuple[int, int] = (5, 1),
) -> Older:
    return older(text, "OLD", Given(nodes, "--nodes") if nodes else None, stock, ledger or {}, placement)


FORMS = {
    "json": written([plan(**OLD)], [settings(variables(**OLD))], None),
    "json-with-changes": written(
        [plan(**OLD)], [settings(variables(**OLD))], against([plan(**OLD)], [plan(**{**OLD, "NODES": "d"})])
    ),
    "env-file": f"# what is there\nexport PATH=x\n{ENV_FILE}",
    "deployment": workload("Deployment", OLD),
    "deployment-config": workload("DeploymentConfig", OLD),
    "daemon-set": workload("DaemonSet", OLD),
    "config-map": json.dumps({"kind": "ConfigMap", "metadata": {"name": "x"}, "data": variables(**OLD)}),
    "yaml": "".join(
        [
            "---\nkind: ConfigMap\nmetadata:\n  name: x\ndata:\n",
            *(f"  {line}\n" for line in ENV_FILE.replace("=", ": ").splitlines()),
        ]
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_are_the_same_plan(form: str) -> None:
    found = read(FORMS[form])
    new = plan(**OLD)
    assert [one._replace(notes=()) for one in found.plans] == [new._replace(notes=())]
    assert against(found.plans, [new]) == ()
    assert found.notes == ()


def test_it_is_planned_with_the_ledger_that_the_new_one_is_planned_with() -> None:
    _, ledger = plan_and_ledger({}, **OLD)
    _, ledger = plan_and_ledger(ledger, **{**OLD, "VIRTUAL_IPS": "10.0.0.1,10.0.0.3-4"})
    text = ENV_FILE.replace("10.0.0.1-4", "10.0.0.4,10.0.0.3,10.0.0.1,10.0.0.9")
    (found,) = read(text, ledger=ledger).plans
    assert {one.vips[0]: one.id for one in found.instances} == {
        "10.0.0.1": 11,
        "10.0.0.3": 13,
        "10.0.0.4": 14,
        "10.0.0.9": 15,
    }
    (without,) = read(text).plans
    assert without.instances[0].vips == ("10.0.0.4",)


def test_nodes_of_its_own_count_before_those_of_the_option() -> None:
    (found,) = read(ENV_FILE, nodes="x,y").plans
    assert found.nodes == ("a", "b", "c")
    (found,) = read(ENV_FILE.replace("NODES=a,b,c", "UNICAST_PEERS=10.0.1.1,10.0.1.2"), nodes="x,y").plans
    assert found.nodes == ("x", "y")
    (found,) = read(ENV_FILE.replace("NODES=a,b,c", "UNICAST_PEERS=10.0.1.1,10.0.1.2"), nodes="x,y,z").plans
    assert found.nodes == ("10.0.1.1", "10.0.1.2")
    bare = "\n".join(line for line in ENV_FILE.splitlines() if "NODES" not in line)
    given = read(bare, nodes="x,y")
    assert (given.plans[0].nodes, given.notes) == (("x", "y"), ())
    assert read(bare).notes == ("OLD: it names no nodes, so that what moves is not known; give them by --nodes",)
    assert read(bare, placement="even").plans[0].placement == "unknown"


def test_the_spread_is_that_of_the_new_one() -> None:
    assert masters(read(ENV_FILE, placement="hash").plans[0]) == masters(plan(placement="hash", **OLD))


def test_its_own_image_decides_over_its_numbers() -> None:
    short = {name: text for name, text in OLD.items() if name != "VRRP_ID_OFFSET"}
    image = "registry.redhat.io/openshift4/ose-keepalived-ipfailover-rhel9:v4.19"
    assert read(workload("Deployment", short, image)).plans[0].instances[0].id == 1
    assert read(workload("Deployment", short)).plans[0].instances[0].id == 11
    assert read(workload("Deployment", short), stock=(4, 19)).plans[0].instances[0].id == 1


def test_an_upgrade_of_the_image_is_seen_to_renumber_all(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    short = {name: text for name, text in OLD.items() if name != "VRRP_ID_OFFSET"}
    for path, tag in ((old, "v4.19"), (new, "v4.20")):
        path.write_text(workload("Deployment", short, f"x/ose-keepalived-ipfailover-rhel9:{tag}"))
    answer = run(new, "--against", old)
    assert answer.code == 1
    assert answer.out.count("renumbers     from id ") == 4
    ledger = tmp_path / "ledger.yaml"
    assert run(old, "--ledger", ledger, "--save").code == 0
    answer = run(new, "--against", old, "--ledger", ledger)
    assert (answer.code, answer.out.count("Against the old plan nothing changes.")) == (0, 1)


def test_several_configurations_are_compared_at_once(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    geo = {**OLD, "CONFIG_NAME": "geo", "VIRTUAL_IPS": "10.0.3.1-2", "VRRP_ID_OFFSET": "50"}
    maps = [json.loads(workload("Deployment", one)) for one in (OLD, geo)]
    old.write_text(json.dumps({"kind": "List", "items": maps}))
    maps[1] = json.loads(workload("Deployment", {**geo, "VIRTUAL_IPS": "10.0.3.2"}))
    new.write_text(json.dumps({"kind": "List", "items": maps}))
    answer = run(new, "--against", old, "--format", "json")
    changes = json.loads(answer.line)["changes"]
    assert {one["vip"] for one in changes} == {"10.0.3.1", "10.0.3.2"}
    assert answer.code == 1


CONF = """\
global_defs {
    router_id ipf
}
vrrp_instance ipf_VIP_1 {
    interface eth0
    state BACKUP
    virtual_router_id %d
    priority 254
    authentication {
        auth_type PASS
        auth_pass OpenShift-IPFailover
    }
    virtual_ipaddress {
        10.0.0.1/32 dev eth0
        %s
    }
    virtual_ipaddress_excluded {
        10.0.0.9/32 dev eth0
    }
}
"""


def test_of_a_keepalived_conf_ids_addresses_and_ways_are_compared() -> None:
    new = plan(VIRTUAL_IPS="10.0.0.1,10.0.0.9", VIP_GROUPS="1", NODES="a,b", NETWORK_INTERFACE="eth0")
    found = read(CONF % (11, ""))
    assert against(found.plans, [new]) == ()
    assert found.notes == ("OLD: it is one node's, so that what moves is not known",)
    kinds = [(one.vip, one.kind) for one in against(read(CONF % (12, "")).plans, [new])]
    assert kinds == [(vip, kind) for vip in ("10.0.0.1", "10.0.0.9") for kind in ("renumbers", "served twice")]
    (why, _) = (one.why for one in against(read(CONF.replace("eth0", "br-ex") % (11, "")).plans, [new]))
    assert why.endswith("since VRRP was on br-ex and is on eth0")
    peers = CONF.replace("priority", "unicast_peer {\n10.0.1.2\n}\npriority") % (11, "")
    assert "adverts went by unicast and go by multicast" in against(read(peers).plans, [new])[0].why


@pytest.mark.parametrize(
    ("was", "instead", "why"),
    [
        ("priority 254", "priority 254\nadvert_int 2", "adverts came every 2 s and come every 1 s"),
        ("priority 254", "priority 254\nversion 3", "it was VRRP 3 and is VRRP 2"),
        ("auth_pass Open", "auth_pass s3cret", "the password was another and is 'OpenShif'"),
        ("auth_type PASS", "auth_type AH", "the password was none and is 'OpenShif'"),
    ],
)
def test_of_a_keepalived_conf_adverts_are_compared_and_no_password_is_told(was: str, instead: str, why: str) -> None:
    new = plan(VIRTUAL_IPS="10.0.0.1,10.0.0.9", VIP_GROUPS="1", NODES="a,b")
    found = {one.why for one in against(read(CONF.replace(was, instead) % (11, "")).plans, [new])}
    assert len(found) == 1
    assert why in found.pop()


def test_an_instance_that_advertised_all_its_addresses_has_two_owners_while_it_changes() -> None:
    new = plan(VIRTUAL_IPS="10.0.0.1-2,10.0.0.9", VIP_GROUPS="1", NODES="a,b")
    whys = {one.why for one in against(read(CONF % (11, "10.0.0.2")).plans, [new])}
    assert whys == {
        "until every node has the new plan, since 10.0.0.1, 10.0.0.2 were the addresses in its adverts and 10.0.0.1 is"
    }


def test_what_render_writes_is_compared_with_its_plan_and_differs_in_nothing(tmp_path: Path) -> None:
    words = ("--virtual-ips", "10.0.0.1-6,fd00::1", "--virtual-ip-groups", "3", "--nodes", "a,b,c", "-i", "eth0")
    conf = tmp_path / "a.conf"
    answer = hacheck("ipfailover", "render", *words, "--node", "a", timeout=60)
    assert answer.code == 0
    conf.write_text(answer.out)
    compared = run(*words, "--against", conf)
    assert (compared.code, compared.out.splitlines()[-1]) == (0, "Against the old plan nothing changes.")
    moved = run(*words, "--vrrp-id-offset", "40", "--against", conf)
    assert moved.code == 1
    assert moved.out.count("served twice") == 7


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("", "this is neither a plan", id="empty"),
        pytest.param("hello", "this is neither a plan", id="text"),
        pytest.param("[]", "this is neither a plan", id="list"),
        pytest.param("{}", "this is no plan of hacheck ipfailover", id="object"),
        pytest.param("{" * 100_000, "this is no plan of hacheck ipfailover", id="deep"),
        pytest.param("A=B\n", "no OPENSHIFT_HA_* variable is in it", id="other-variables"),
        pytest.param("OPENSHIFT_HA_VIRTUAL_IPS=x\n", "OLD:1: OPENSHIFT_HA_VIRTUAL_IPS: item 1, 'x'", id="wrong-value"),
        pytest.param("kind: Service\n", "no DaemonSet, Deployment", id="service"),
        pytest.param('{"kind": "Service"}', "no DaemonSet, Deployment", id="service-in-json"),
        pytest.param("kind: [\n", "OLD", id="damaged-yaml"),
        pytest.param("vrrp_instance x {\n virtual_router_id 9\n}\n", "x has no VIP", id="no-vip"),
        pytest.param(
            "vrrp_instance x {\n interface e\n virtual_ipaddress {\n 10.0.0.1\n}\n}\n",
            "x has no virtual_router_id",
            id="no-id",
        ),
    ],
)
def test_what_is_nothing_to_compare_with_is_refused_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(Invalid, match=r"^OLD") as caught:
        read(text)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_it_may_be_standard_input_and_nodes_another_file(tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text("node/a\nnode/b\n")
    words = ["--virtual-ips", "10.0.0.1", "--nodes-file", str(tmp_path / "nodes"), "--against", "-"]
    answer = piped("OPENSHIFT_HA_VIRTUAL_IPS=10.0.0.1-2\n", *words)
    assert (answer.code, answer.err) == (0, "")
    assert "10.0.0.2  removed" in answer.out
