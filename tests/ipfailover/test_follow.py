"""VIPs follow the cluster's Services, and all nodes agree on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.failover.namespace import wait_until
from tests.ipfailover.following import QUICK, allocations, following
from tests.ipfailover.kube_api import CONFIG_MAP, NAMESPACE, KubeApi, service

if TYPE_CHECKING:
    from pathlib import Path


def other(name: str, number: int, **spec: Any) -> dict[str, Any]:
    """A Service that is not of our class."""
    found = service(name, number, **spec)
    for field in ("loadBalancerClass", "allocateLoadBalancerNodePorts", "externalTrafficPolicy"):
        found["spec"].pop(field, None)
    found["spec"]["type"] = "ClusterIP"
    return found


# Addresses


def test_a_service_gets_the_first_free_address_and_a_check_of_its_node_port(api: KubeApi, tmp_path: Path) -> None:
    with following(api, tmp_path) as node:
        api.put("services", service("web", 5))
        node.wait_for("10.0.0.20")
        assert node.checks == {
            "10.0.0.1": "true", "10.0.0.2": "true", "10.0.0.20": "/etc/keepalive/hacheck nodeport 30005"
        }  # fmt: skip
        assert node.ids() == {"10.0.0.1": 11, "10.0.0.2": 12, "10.0.0.20": 13}


def test_a_service_that_goes_takes_its_vip_along_and_no_other(api: KubeApi, tmp_path: Path) -> None:
    for number, name in enumerate(("one", "two", "three"), 1):
        api.put("services", service(name, number))
    with following(api, tmp_path) as node:
        node.wait_for("10.0.0.20", "10.0.0.21", "10.0.0.22")
        before = node.ids()
        gone = allocations(api)["default/two"][0]
        api.delete("services", "default/two")
        left = [vip for vip in ("10.0.0.20", "10.0.0.21", "10.0.0.22") if vip != gone]
        node.wait_for(*left)
        assert {vip: node.ids()[vip] for vip in left} == {vip: before[vip] for vip in left}


def test_a_service_that_is_made_again_has_its_address_again(api: KubeApi, tmp_path: Path) -> None:
    with following(api, tmp_path) as node:
        api.put("services", service("one", 1))
        node.wait_for("10.0.0.20")
        api.put("services", service("two", 2))
        node.wait_for("10.0.0.20", "10.0.0.21")
        api.delete("services", "default/one")
        node.wait_for("10.0.0.21")
        api.put("services", service("three", 3))
        node.wait_for("10.0.0.21", "10.0.0.22")
        api.put("services", service("one", 1))
        node.wait_for("10.0.0.20", "10.0.0.21", "10.0.0.22")


def test_an_address_is_asked_for_by_field_or_annotation(api: KubeApi, tmp_path: Path) -> None:
    api.put("services", service("field", 1, loadBalancerIP="10.0.0.25"))
    annotated = service("annotated", 2, ipFamilies=["IPv4", "IPv6"], ipFamilyPolicy="RequireDualStack")
    annotated["metadata"]["annotations"] = {"hachecks.internal/vips": "10.0.0.27, fd00::5"}
    api.put("services", annotated)
    with following(api, tmp_path, service_range=("10.0.0.20-29", "fd00::1-9")) as node:
        node.wait_for("10.0.0.25", "10.0.0.27", "fd00::5")


def test_a_service_of_both_families_gets_an_address_of_each(api: KubeApi, tmp_path: Path) -> None:
    api.put("services", service("both", 1, ipFamilies=["IPv6", "IPv4"], ipFamilyPolicy="PreferDualStack"))
    api.put("services", service("six", 2, ipFamilies=["IPv6"]))
    with following(api, tmp_path, service_range=("10.0.0.20-29", "fd00::1-9")) as node:
        wait_until("three VIPs", lambda: len(node.vips) == 5)
        assert set(node.vips[2:]) == {"10.0.0.20", "fd00::1", "fd00::2"}


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"loadBalancerIP": "10.0.0.1"}, "10.0.0.1 is a VIP of OPENSHIFT_HA_VIRTUAL_IPS; ask for another one"),
        ({"loadBalancerIP": "10.0.0.30"}, "10.0.0.30 is in no --service-range"),
        ({"loadBalancerIP": "127.0.0.1"}, "127.0.0.1 is a loopback address"),
        ({"loadBalancerIP": "fd00::1"}, "fd00::1 is IPv6, which is not among its ipFamilies"),
        ({"loadBalancerIP": "10.0.0.20; reboot"}, "is no address"),
        ({"ipFamilies": ["IPv6"]}, "no IPv6 address of --service-range is free; widen it"),
    ],
)
def test_what_a_service_cannot_have_is_said_once_and_hurts_no_other(
    api: KubeApi, tmp_path: Path, spec: dict[str, Any], why: str
) -> None:
    api.put("services", service("bad", 1, **spec))
    api.put("services", service("good", 2))
    with following(api, tmp_path) as node:
        node.wait_until_told(why)
        node.wait_for("10.0.0.20")
        api.put("services", service("more", 3))
        node.wait_for("10.0.0.20", "10.0.0.21")
        assert sum(why in line for line in node.told) == 1
        assert all("\n" not in line for line in node.told)
        wait_until("the report has it", lambda: node.report is not None and why in str(node.report.remarks))


def test_what_was_passed_over_is_forgotten_when_it_goes_and_told_again_when_it_comes(
    api: KubeApi, tmp_path: Path
) -> None:
    why = "default/bad: spec.loadBalancerIP: 127.0.0.1 is a loopback address, which no VIP can be; it is passed over"
    with following(api, tmp_path) as node:
        for times in (1, 2):
            api.put("services", service("bad", 1, loadBalancerIP="127.0.0.1"))
            node.wait_until_told(why, times)
            wait_until("the report has it", lambda: node.report is not None and node.report.remarks == (why,))
            api.delete("services", "default/bad")
            wait_until("the report has it no more", lambda: node.report is not None and node.report.remarks == ())


def test_many_that_are_passed_over_are_not_told_one_by_one(api: KubeApi, tmp_path: Path) -> None:
    for number in range(60):
        api.put("services", service(f"bad-{number}", 1, loadBalancerIP="127.0.0.1"))
    api.put("services", service("good", 2))
    with following(api, tmp_path, pace=QUICK._replace(page=500)) as node:
        node.wait_until_told("and 10 more Services are passed over, or not checked")
        node.wait_for("10.0.0.20")
        assert len(node.told) == 51
        wait_until("the report is bounded", lambda: node.report is not None and len(node.report.remarks) == 50)


def test_of_two_services_that_ask_for_one_address_the_older_has_it(api: KubeApi, tmp_path: Path) -> None:
    younger, older = service("a", 1, loadBalancerIP="10.0.0.25"), service("b", 2, loadBalancerIP="10.0.0.25")
    younger["metadata"]["creationTimestamp"] = "2026-11-30T00:00:09Z"
    api.put("services", younger)
    api.put("services", older)
    with following(api, tmp_path) as node:
        node.wait_until_told("default/a: 10.0.0.25 is the VIP of default/b; ask for another one, or for none")
        node.wait_for("10.0.0.25")
        assert node.checks["10.0.0.25"].endswith("nodeport 30002")
        api.delete("services", "default/b")
        wait_until("the other one has it", lambda: node.checks.get("10.0.0.25", "").endswith("nodeport 30001"))


def test_a_range_that_is_full_takes_what_is_free_again(api: KubeApi, tmp_path: Path) -> None:
    api.put("services", service("one", 1))
    with following(api, tmp_path, service_range=("10.0.0.20",)) as node:
        node.wait_for("10.0.0.20")
        api.put("services", service("two", 2))
        node.wait_until_told("default/two: no IPv4 address of --service-range is free; widen it")
        api.delete("services", "default/one")
        wait_until("it has it", lambda: node.checks.get("10.0.0.20", "").endswith("nodeport 30002"))


def test_services_of_other_classes_and_kinds_are_left_alone(api: KubeApi, tmp_path: Path) -> None:
    api.put("services", service("theirs", 1, loadBalancerClass="example.com/other"))
    api.put("services", other("inside", 2))
    none = service("none", 3)
    del none["spec"]["loadBalancerClass"]
    api.put("services", none)
    api.put("services", service("ours", 4))
    with following(api, tmp_path) as node:
        node.wait_for("10.0.0.20")
        assert node.told == []


def test_another_class_can_be_named(api: KubeApi, tmp_path: Path) -> None:
    api.put("services", service("theirs", 1, loadBalancerClass="example.com/other"))
    api.put("services", service("ours", 2))
    with following(api, tmp_path, load_balancer_class="example.com/other") as node:
        node.wait_for("10.0.0.20")
        assert node.checks["10.0.0.20"].endswith("nodeport 30001")


def test_external_addresses_in_a_range_are_vips(api: KubeApi, tmp_path: Path) -> None:
    api.put("services", other("external", 1, externalIPs=["10.9.55.7", "192.0.2.1"]))
    theirs = service("ingress", 2, loadBalancerClass="example.com/other")
    theirs["status"] = {"loadBalancer": {"ingress": [{"ip": "10.9.55.9", "ipMode": "VIP"}, {"hostname": "x.example"}]}}
    api.put("services", theirs)
    with following(api, tmp_path, external_ip_range=("10.9.55.0/24",)) as node:
        node.wait_for("10.9.55.7", "10.9.55.9")
        assert node.checks["10.9.55.9"].endswith("nodeport 30002")
        assert api.count("PATCH") == 0


def test_where_ids_end_those_who_have_one_keep_it(api: KubeApi, tmp_path: Path) -> None:
    text = "OPENSHIFT_HA_CONFIG_NAME=router\nOPENSHIFT_HA_VIRTUAL_IPS=10.0.0.1-2\nOPENSHIFT_HA_VRRP_ID_OFFSET=251\n"
    with following(api, tmp_path, text=text) as node:
        api.put("services", service("one", 1))
        node.wait_for("10.0.0.20")
        for number, name in ((2, "two"), (3, "three")):
            api.put("services", service(name, number))
        node.wait_for("10.0.0.20", "10.0.0.21")
        node.wait_until_told("gets no id: 5 instances need 5 ids, limit 4 above the offset 251")
        assert node.ids() == {"10.0.0.1": 252, "10.0.0.2": 253, "10.0.0.20": 254, "10.0.0.21": 255}


# Checks


def test_under_the_policy_local_the_health_check_node_port_is_asked(api: KubeApi, tmp_path: Path) -> None:
    api.put("services", service("web", 1, externalTrafficPolicy="Local", healthCheckNodePort=32100))
    with following(api, tmp_path) as node:
        node.wait_for("10.0.0.20")
        assert node.checks["10.0.0.20"] == (
            "/etc/keepalive/hacheck nodeport 30001 --health-check-node-port 32100 --service default/web"
        )


def test_the_check_follows_the_service(api: KubeApi, tmp_path: Path) -> None:
    api.put("services", service("web", 1))
    with following(api, tmp_path) as node:
        node.wait_for("10.0.0.20")
        api.put("services", service("web", 1, externalTrafficPolicy="Local", healthCheckNodePort=32100))
        wait_until("the check is another", lambda: "--health-check-node-port 32100" in node.checks["10.0.0.20"])


def test_a_service_of_udp_alone_is_not_checked_which_is_said(api: KubeApi, tmp_path: Path) -> None:
    ports = [{"name": "dns", "nodePort": 30053, "port": 53, "protocol": "UDP", "targetPort": 53}]
    api.put("services", service("dns", 1, ports=ports))
    api.put("services", service("bare", 2, ports=[{"port": 80, "protocol": "TCP"}]))
    with following(api, tmp_path) as node:
        wait_until("both", lambda: len(node.vips) == 4)
        assert (node.checks["10.0.0.20"], node.checks["10.0.0.21"]) == ("true", "true")
        node.wait_until_told("default/dns: it is not checked, since none of its ports is TCP")
        node.wait_until_told("default/bare: it is not checked, since none of its ports has a nodePort")


# All nodes


def test_two_nodes_that_begin_at_once_come_to_the_same(api: KubeApi, tmp_path: Path) -> None:
    for number in range(1, 9):
        api.put("services", service(f"web-{number}", number))
    with following(api, tmp_path, "node-a") as one, following(api, tmp_path, "node-b") as two:
        for node in (one, two):
            wait_until("all are there", lambda node=node: len(node.vips) == 10)  # type: ignore[misc]
        assert (one.env, one.ledger) == (two.env, two.ledger)
        for number in range(9, 11):
            api.put("services", service(f"web-{number}", number))
        for node in (one, two):
            wait_until("all are there", lambda node=node: len(node.vips) == 12)  # type: ignore[misc]
        assert (one.env, one.ledger) == (two.env, two.ledger)
    assert len(set(one.ids().values())) == 12


def test_nodes_that_know_other_variables_yet_do_not_quarrel(api: KubeApi, tmp_path: Path) -> None:
    api.put("services", service("web", 1))
    with following(api, tmp_path, "node-a") as one, following(api, tmp_path, "node-b") as two:
        one.wait_for("10.0.0.20")
        two.wait_for("10.0.0.20")
        new = one.variables.with_suffix(".new")
        new.write_text(one.variables.read_text().replace("10.0.0.1-2", "10.0.0.1-3"))
        new.rename(one.variables)
        wait_until("the other one has the new VIP's id", lambda: "10.0.0.3" in two.ids())
        assert two.ids()["10.0.0.3"] == 14
        written = api.count("PUT")
        api.put("services", service("more", 2))
        wait_until("both have it", lambda: one.vips[-1:] == two.vips[-1:] == ["10.0.0.21"])
        assert api.count(f"PUT /api/v1/namespaces/{NAMESPACE}/configmaps/{CONFIG_MAP} 200") <= written + 1
        assert one.ids() == two.ids()


def test_what_nobody_wants_is_free_when_nothing_has_changed_for_long(api: KubeApi, tmp_path: Path) -> None:
    with following(api, tmp_path, pace=QUICK._replace(settled=0.5)) as node:
        api.put("services", service("one", 1))
        node.wait_for("10.0.0.20")
        api.delete("services", "default/one")
        node.wait_for()
        wait_until("its id rests", lambda: "10.0.0.20" not in node.ids())
        wait_until("and is free", lambda: all(one.vips for one in node.ledger["router"].entries))
        assert allocations(api) == {}
        api.put("services", service("two", 2, loadBalancerIP="10.0.0.29"))
        node.wait_for("10.0.0.29")
        assert node.ids()["10.0.0.29"] == 13


def test_a_config_map_that_is_deleted_comes_back_with_the_same_ids(api: KubeApi, tmp_path: Path) -> None:
    with following(api, tmp_path) as node:
        for number, name in enumerate(("one", "two", "three"), 1):
            api.put("services", service(name, number))
            wait_until("it is there", lambda number=number: len(node.vips) == 2 + number)  # type: ignore[misc]
        api.delete("services", "default/two")
        node.wait_for("10.0.0.20", "10.0.0.22")
        before = node.ids()
        api.delete("configmaps", f"{NAMESPACE}/{CONFIG_MAP}")
        wait_until("it is back", lambda: bool(allocations(api)))
        assert {vip: node.ids()[vip] for vip in node.vips} == {vip: before[vip] for vip in node.vips}


def test_a_config_map_that_was_made_empty_is_filled_and_else_left_as_it_is(api: KubeApi, tmp_path: Path) -> None:
    made = {
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"mine": "stays"},
        "metadata": {"name": CONFIG_MAP, "namespace": NAMESPACE, "labels": {"app": "ipfailover"}},
    }  # fmt: skip
    api.put("configmaps", made)
    api.put("services", service("web", 1))
    with following(api, tmp_path) as node:
        node.wait_for("10.0.0.20")
    found = api.objects["configmaps"][f"{NAMESPACE}/{CONFIG_MAP}"]
    assert (found["data"]["mine"], found["metadata"]["labels"]) == ("stays", {"app": "ipfailover"})
    assert api.count("POST") == 0


@pytest.mark.parametrize("text", ["{", "[]", '{"hachecks_ipfailover_ledger": 9}', "x" * 100])
def test_a_ledger_that_is_damaged_is_told_and_not_replaced(api: KubeApi, tmp_path: Path, text: str) -> None:
    api.put("services", service("web", 1))
    with following(api, tmp_path) as node:
        node.wait_for("10.0.0.20")
        found = api.objects["configmaps"][f"{NAMESPACE}/{CONFIG_MAP}"]
        good = dict(found["data"])
        api.put("configmaps", {**found, "data": {**good, "ledger.json": text}})
        node.wait_until_told(f"ConfigMap {NAMESPACE}/{CONFIG_MAP}: ledger.json: ")
        assert node.vips[2:] == ["10.0.0.20"]
        assert api.objects["configmaps"][f"{NAMESPACE}/{CONFIG_MAP}"]["data"]["ledger.json"] == text
        api.put("configmaps", {**found, "data": good})
        api.put("services", service("more", 2))
        node.wait_for("10.0.0.20", "10.0.0.21")
