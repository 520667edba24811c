"""Three nodes that run with --follow-services: a VIP comes with its Service, and touches no other."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from hachecks import pod_report
from hachecks.ipfailover.follow import shared as sharing
from hachecks.ipfailover.ledger import Entry
from hachecks.keepalived.configuration import read_text
from tests.failover.namespace import wait_until
from tests.ipfailover.cluster import nodes
from tests.ipfailover.given import variables
from tests.ipfailover.kube_api import CONFIG_MAP, NAMESPACE, KubeApi, Refusal, service
from tests.ipfailover.one_pod import ENVIRONMENT, GIVEN, RUN, TOML, VARIABLES
from tests.ipfailover.pods import CONFIG, Pod

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ipfailover.cluster import Cluster

pytestmark = [pytest.mark.failover, pytest.mark.xdist_group("follow-run")]
API = "10.78.0.99"
OWN = ["10.78.1.1", "10.78.1.2", "10.78.1.3"]
ACCOUNT = "/run/secrets/kubernetes.io"
MOUNTED = ("sh", "-c", f'mkdir -p {ACCOUNT}; ln -s {CONFIG} {ACCOUNT}/serviceaccount; exec "$@"', "sh")
WORDS = ("--follow-services", "--service-range", "10.78.2.1-9")
UDP = [{"name": "dns", "nodePort": 30053, "port": 53, "protocol": "UDP", "targetPort": 53}]
"""Which are not checked: there is no kube-proxy on these nodes."""


def dns(name: str, number: int, **spec: Any) -> dict[str, Any]:
    return service(name, number, ports=[{**UDP[0], "nodePort": 30050 + number}], **spec)


def files_of(api: KubeApi, cluster: Cluster, **short: str) -> dict[str, str]:
    """What a pod has in its volume, with these variables."""
    given = variables(**{**GIVEN, "NODES": ",".join(cluster.nodes), **short})
    account = {path.name: path.read_text() for path in api.account.iterdir()}
    return {VARIABLES: "".join(f"{name}={text}\n" for name, text in given.items()), "hacheck.toml": TOML, **account}


@contextmanager
def following_pods(api: KubeApi, cluster: Cluster) -> Iterator[dict[str, Pod]]:
    """A pod on each node, which has its account among its files."""
    files = files_of(api, cluster)
    pods = {}
    for name, node in cluster.nodes.items():
        rights = ("net_admin", "net_raw", "setgid")
        pods[name] = Pod(node, "one", (*MOUNTED, *RUN, *WORDS), {**ENVIRONMENT, **api.environ}, rights)
        pods[name].replace(files)
    for pod in pods.values():
        pod.start()
    yield pods


def ingress(api: KubeApi, name: str) -> list[str]:
    balancer = api.objects["services"][f"default/{name}"]["status"]["loadBalancer"]
    return [one["ip"] for one in balancer.get("ingress", [])]


def hosts(api: KubeApi, vip: str) -> list[str]:
    """The nodes that Events say have had a VIP, in their order."""
    found = sorted(api.objects["events"].values(), key=lambda one: int(one["metadata"]["resourceVersion"]))
    return [one["source"]["host"] for one in found if one["message"].startswith(f"{vip} ")]


def test_a_vip_comes_with_its_service_and_goes_with_it_and_no_other_is_touched(tmp_path: Path) -> None:
    with (
        nodes(3) as cluster,
        KubeApi(tmp_path, API, cluster.client.pid).serving() as api,
        following_pods(api, cluster) as pods,
    ):
        # Nodes that come later take what the plan gives them: one each.
        wait_until(
            "each has its own", lambda: sorted(map(sorted, map(cluster.owners.of, OWN))) == [[one] for one in pods]
        )
        wait_until("all have settled", lambda: time.monotonic() - cluster.owners.history[-1].at > 2)
        with cluster.asking(OWN) as asking:
            before = len(cluster.owners.history)
            api.put("services", dns("one", 1))
            cluster.wait_for_each(["10.78.2.1"], lambda owners: len(owners) == 1)
            wait_until("its owner writes it", lambda: ingress(api, "one") == ["10.78.2.1"])
            api.put("services", dns("two", 2, loadBalancerIP="10.78.2.7"))
            cluster.wait_for_each(["10.78.2.7"], lambda owners: len(owners) == 1)
            api.delete("services", "default/one")
            cluster.wait_for_each(["10.78.2.1"], lambda owners: not owners)
            asking.wait_for_more(20)
        assert asking.lost == dict.fromkeys(OWN, 0)
        changed = {one.vip for one in cluster.owners.history[before:]}
        assert changed == {"10.78.2.1", "10.78.2.7"}
        # Two nodes that have it at the same instant may both take it, until the first advert of the better one.
        history = [one for one in cluster.owners.history if one.vip == "10.78.2.1"]
        assert all(after.at - one.at < 5 for one, after in zip(history, history[1:]) if len(one.owners) > 1)
        cluster.wait_for_owners({"10.78.2.1": None})  # also by nodes that heard of it later

        def is_told(since: int) -> bool:
            """Of two that took it at the same instant the one that lost it may have been heard last."""
            owners = cluster.owners.of("10.78.2.7")
            return len(owners) == 1 and owners <= {*hosts(api, "10.78.2.7")[since:]}

        wait_until("an Event says who has it", lambda: is_told(0))
        (owner,) = cluster.owners.of("10.78.2.7")
        before = len(hosts(api, "10.78.2.7"))
        assert pods[owner].stop() == 0
        cluster.wait_for_each(["10.78.2.7", *OWN], lambda owners: len(owners) == 1 and owner not in owners)
        wait_until("an Event says who has it now", lambda: is_told(before))
        assert ingress(api, "two") == ["10.78.2.7"]


def held(pod: Pod) -> str:
    """Why its new configuration waits."""
    found = pod_report.read(str(pod.state))
    return found.held if found else ""


def ids(pod: Pod) -> dict[str, int | None]:
    """The id of each VIP in its keepalived.conf."""
    found = read_text(pod.path("/etc/keepalived/keepalived.conf").read_text())
    return {vip.address: one.vrid for one in found.instances for vip in one.addresses}


def give_away(api: KubeApi, vip: str, key: str) -> int:
    """Another node gives a Service a VIP and the next id, as it writes that into what all share; returns the id."""
    place = f"{NAMESPACE}/{CONFIG_MAP}"
    before = sharing.read(api.objects["configmaps"][place], "the shared map")
    assert before.ledger is not None
    kept = before.ledger["one"]
    number, last = len(kept.entries) + 1, max(one.id for one in kept.entries) + 1
    ledger = {"one": kept._replace(entries=(*kept.entries, Entry(number, last, (vip,))))}
    after = sharing.Shared(ledger, {"one": {**before.allocations.get("one", {}), key: (vip,)}})
    api.put("configmaps", sharing.changed(api.objects["configmaps"][place], CONFIG_MAP, NAMESPACE, after))
    return last


def test_a_vip_that_is_new_in_the_variables_waits_for_the_id_that_all_nodes_share(tmp_path: Path) -> None:
    with (
        nodes(1) as cluster,
        KubeApi(tmp_path, API, cluster.client.pid).serving() as api,
        following_pods(api, cluster) as pods,
    ):
        (pod,) = pods.values()
        cluster.wait_for_each(OWN, lambda owners: len(owners) == 1)
        assert "VIPs are served by the numbers that are known here" not in pod.log
        before = ids(pod)
        api.refusing = lambda request: Refusal(503, "Gone", "not now") if request.method == "PUT" else None
        pod.replace(files_of(api, cluster, VIRTUAL_IPS="10.78.1.1-4"))
        wait_until("it waits", lambda: "does not have the id of 10.78.1.4 yet" in held(pod))
        assert ids(pod) == before
        taken = give_away(api, "10.78.2.1", "default/elsewhere")
        api.put("services", dns("elsewhere", 1))
        api.refusing = lambda _: None
        cluster.wait_for_each(["10.78.1.4", "10.78.2.1", *OWN], lambda owners: len(owners) == 1)
        wait_until("nothing waits", lambda: not held(pod))
        assert ids(pod) == {**before, "10.78.2.1": taken, "10.78.1.4": taken + 1}


def test_vips_of_the_variables_are_served_though_nobody_answers_which_is_told(tmp_path: Path) -> None:
    with (
        nodes(1) as cluster,
        KubeApi(tmp_path, API, cluster.client.pid).serving() as api,
    ):
        api.refusing = lambda _: Refusal(503, "Gone", "not now")
        with following_pods(api, cluster) as pods:
            (pod,) = pods.values()
            cluster.wait_for_each(OWN, lambda owners: len(owners) == 1)
            told = "does not have the id of 10.78.1.1 and 2 more yet"
            assert pod.log.count(told) == 1
            # What comes to be shared then is the same.
            before = ids(pod)
            api.refusing = lambda _: None
            wait_until("it is shared", lambda: f"{NAMESPACE}/{CONFIG_MAP}" in api.objects["configmaps"])
            pod.replace(files_of(api, cluster, VIRTUAL_IPS="10.78.1.1-4"))
            cluster.wait_for_each(["10.78.1.4"], lambda owners: len(owners) == 1)
            assert {vip: ids(pod)[vip] for vip in OWN} == before
            wait_until("nothing waits", lambda: not held(pod))
