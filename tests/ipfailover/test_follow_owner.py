"""The node that has a VIP tells the cluster, once: in the status of the Service, and as an Event."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from hachecks.ipfailover.follow.owner import TOLD
from hachecks.ipfailover.follow.rights import CLUSTER_RULES
from tests.failover.namespace import wait_until
from tests.ipfailover.following import QUICK, following
from tests.ipfailover.kube_api import KubeApi, service
from tests.own_network import own_network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aiohttp import web

VIP = "10.0.0.20"
STATUS = "/api/v1/namespaces/default/services/web/status"
SERVED = [{"ip": VIP, "ipMode": "VIP"}]


@pytest.fixture(autouse=True)
def _network() -> Iterator[None]:
    with own_network():
        yield


def has(vip: str, there: bool = True) -> None:
    """This node has a VIP, or has it no more, as Keepalived gives and takes it."""
    length = 128 if ":" in vip else 32
    words = ["ip", "address", "add" if there else "del", f"{vip}/{length}", "dev", "node0"]
    subprocess.run([*words, *(["nodad"] if ":" in vip and there else [])], check=True)


def ingress(api: KubeApi, key: str = "default/web") -> Any:
    return api.objects["services"][key]["status"]["loadBalancer"].get("ingress", [])


def events(api: KubeApi) -> list[dict[str, Any]]:
    return list(api.objects["events"].values())


def test_the_owner_writes_the_status_and_an_event(api: KubeApi, tmp_path: Path) -> None:
    has("10.0.0.1")  # the variables' own, which no Service has
    with following(api, tmp_path) as node:
        stored = api.put("services", service("web", 1))
        node.wait_for(VIP)
        assert (ingress(api), events(api)) == ([], [])
        has(VIP)
        wait_until("it is told", lambda: ingress(api) == SERVED and len(events(api)) == 1)
        (told,) = events(api)
        assert told["message"] == f"{VIP} is served by node-a"
        assert (told["involvedObject"]["uid"], told["involvedObject"]["name"]) == (stored["metadata"]["uid"], "web")
        assert told["source"] == {"component": "hacheck", "host": "node-a"}
        assert node.told == []
    found = api.objects["services"]["default/web"]
    assert found["spec"] == stored["spec"]


def test_it_is_told_once_and_again_when_it_comes_back(api: KubeApi, tmp_path: Path) -> None:
    api.put("services", service("web", 1))
    has(VIP)
    with following(api, tmp_path):
        wait_until("it is told", lambda: len(events(api)) == 1)
    with following(api, tmp_path) as node:  # started again
        api.put("services", service("more", 2))
        node.wait_for(VIP, "10.0.0.21")
        has("10.0.0.21")
        wait_until("the other one is told", lambda: len(events(api)) == 2)
        has(VIP, there=False)
        wait_until("it is forgotten", lambda: VIP not in json.loads((node.directory / TOLD).read_text()))
        assert (ingress(api), len(events(api))) == (SERVED, 2)  # another node has it now, at the same address
        has(VIP)
        wait_until("it is told again", lambda: len(events(api)) == 3)
    assert api.count(f"PATCH {STATUS}") == 1


def test_an_event_that_was_written_before_a_crash_is_not_written_twice(api: KubeApi, tmp_path: Path) -> None:
    api.put("services", service("web", 1))
    has(VIP)
    with following(api, tmp_path) as node:
        wait_until(
            "it is told",
            lambda: (node.directory / TOLD).exists() and '"done": true' in (node.directory / TOLD).read_text(),
        )
        path = node.directory / TOLD
    path.write_text(path.read_text().replace("true", "false"))
    with following(api, tmp_path):
        wait_until("it is known as told", lambda: '"done": true' in path.read_text())
    assert (len(events(api)), api.count("POST /api/v1/namespaces/default/events 409")) == (1, 1)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"10.0.0.20": 7}', '{"10.0.0.20": {"uid": 1, "event": "../x", "done": 0}}']
)
def test_a_memory_that_is_damaged_is_none(api: KubeApi, tmp_path: Path, text: str) -> None:
    api.put("services", service("web", 1))
    has(VIP)
    (tmp_path / "node-a").mkdir()
    (tmp_path / "node-a" / TOLD).write_text(text)
    with following(api, tmp_path):
        wait_until("it is told", lambda: len(events(api)) == 1)


def test_a_service_that_changes_meanwhile_is_written_when_the_watch_has_told_of_it(
    api: KubeApi, tmp_path: Path
) -> None:
    changed: list[str] = []

    def change(request: web.Request) -> None:
        if request.method == "PATCH" and not changed:
            changed.append(request.path)
            api.is_silent = True
            found = api.objects["services"]["default/web"]
            api._stored("services", {**found, "spec": {**found["spec"], "sessionAffinity": "ClientIP"}})

    api.refusing = change
    api.put("services", service("web", 1))
    api.put("services", service("zoo", 2))
    has(VIP)
    with following(api, tmp_path) as node:
        wait_until("it is refused", lambda: api.count(f"PATCH {STATUS} 409") >= 1)
        has("10.0.0.21")
        wait_until("the one behind it is written", lambda: len(ingress(api, "default/zoo")) == 1)
        assert ingress(api) == []
        api.is_silent = False
        wait_until("it is written", lambda: ingress(api) == SERVED)
        assert api.objects["services"]["default/web"]["spec"]["sessionAffinity"] == "ClientIP"
        assert (api.count(f"PATCH {STATUS} 409"), api.count(f"PATCH {STATUS} 200"), node.told) == (1, 1, [])


@pytest.mark.parametrize("written", [[{"ip": "192.0.2.9", "ipMode": "VIP"}], [{"hostname": "old.example"}]])
def test_what_others_wrote_is_put_right_by_the_owner_alone(api: KubeApi, tmp_path: Path, written: list[Any]) -> None:
    api.put("services", {**service("web", 1), "status": {"loadBalancer": {"ingress": written}}})
    with following(api, tmp_path) as node:
        node.wait_for(VIP)
        api.put("services", service("more", 2))
        node.wait_for(VIP, "10.0.0.21")
        has("10.0.0.21")
        wait_until("the other one is written", lambda: len(ingress(api, "default/more")) == 1)
        assert ingress(api) == written
        has(VIP)
        wait_until("it is put right", lambda: ingress(api) == SERVED)


def test_a_status_without_the_mode_is_right(api: KubeApi, tmp_path: Path) -> None:
    api.put("services", {**service("web", 1), "status": {"loadBalancer": {"ingress": [{"ip": VIP}]}}})
    has(VIP)
    with following(api, tmp_path):
        wait_until("the Event is there", lambda: len(events(api)) == 1)
    assert api.count("PATCH") == 0


def test_of_both_families_both_are_written(api: KubeApi, tmp_path: Path) -> None:
    both = service("web", 1, ipFamilies=["IPv4", "IPv6"], ipFamilyPolicy="RequireDualStack")
    api.put("services", both)
    has("fd00::5")
    with following(api, tmp_path, service_range=("10.0.0.20-29", "fd00::5-9")):
        wait_until("both are", lambda: {one["ip"] for one in ingress(api)} == {VIP, "fd00::5"})


def test_of_a_service_of_another_class_an_event_is_all(api: KubeApi, tmp_path: Path) -> None:
    found = service("web", 1, externalIPs=["10.9.55.7"], type="ClusterIP")
    for field in ("loadBalancerClass", "allocateLoadBalancerNodePorts", "externalTrafficPolicy"):
        del found["spec"][field]
    api.put("services", found)
    has("10.9.55.7")
    with following(api, tmp_path, external_ip_range=("10.9.55.0/24",)):
        wait_until("the Event is there", lambda: len(events(api)) == 1)
    assert api.count("PATCH") == 0


@pytest.mark.parametrize(("number", "words"), [(1, "services/status is forbidden"), (2, "events is forbidden")])
def test_a_right_that_is_missing_is_said_once(api: KubeApi, tmp_path: Path, number: int, words: str) -> None:
    api.cluster_rules = [rule for at, rule in enumerate(CLUSTER_RULES) if at != number]
    api.put("services", service("web", 1))
    has(VIP)
    with following(api, tmp_path, pace=QUICK._replace(refused_again=0.2)) as node:
        wait_until("the other one is written", lambda: bool(events(api) if number == 1 else ingress(api)))
        node.wait_until_told(words)
        refused = api.count(f"PATCH {STATUS} 403") + api.count("POST /api/v1/namespaces/default/events 403")
        wait_until("it was tried again", lambda: api.count("PATCH") + api.count("POST") > refused + 2)
        assert sum(words in line for line in node.told) == 1
        api.cluster_rules = CLUSTER_RULES
        wait_until("both are written", lambda: bool(events(api) and ingress(api)))
