"""Whatever the cluster's API does, VIPs that were known stay, and what is wrong is said once."""

from __future__ import annotations

import gzip
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from aiohttp import web

from hachecks.ipfailover.follow.rights import CLUSTER_RULES, namespace_rules
from tests.failover.namespace import wait_until
from tests.ipfailover.following import QUICK, allocations, following
from tests.ipfailover.kube_api import CONFIG_MAP, NAMESPACE, KubeApi, Refusal, service

if TYPE_CHECKING:
    from pathlib import Path

    from hachecks.ipfailover.follow.rights import Rules

SERVICES = "/api/v1/services"


def test_a_token_that_is_rotated_is_read_again(api: KubeApi, tmp_path: Path) -> None:
    with following(api, tmp_path) as node:
        api.put("services", service("one", 1))
        node.wait_for("10.0.0.20")
        api.rotate()
        api.put("services", service("two", 2))
        node.wait_for("10.0.0.20", "10.0.0.21")
        assert node.told == []


def test_a_token_that_was_not_there_yet_is_tried_once_more(api: KubeApi, tmp_path: Path) -> None:
    seen: list[str] = []

    def late(request: web.Request) -> Refusal | None:
        # The kubelet replaces the token between the reading and the asking.
        if request.path == SERVICES and not seen:
            seen.append(request.headers["Authorization"])
            api.rotate()
        return None

    api.refusing = late
    api.put("services", service("one", 1))
    with following(api, tmp_path) as node:
        node.wait_for("10.0.0.20")
        assert (node.told, api.count(f"GET {SERVICES} 401")) == ([], 1)


def test_a_token_that_is_refused_is_said_once_and_nothing_is_forgotten(api: KubeApi, tmp_path: Path) -> None:
    with following(api, tmp_path) as node:
        api.put("services", service("one", 1))
        node.wait_for("10.0.0.20")
        api.tokens = set()
        api.compact()  # which ends the watches
        wait_until("it has tried often", lambda: api.count(f"GET {SERVICES} 401") >= 6)
        lines = [line for line in node.told if SERVICES in line]
        assert lines == [f"GET {SERVICES}: the API answers 401: Unauthorized; what was known stays in force"]
        assert node.vips[2:] == ["10.0.0.20"]
        api.rotate()
        node.wait_until_told("Services: all is well again")


@pytest.mark.parametrize(
    ("kind", "number", "words"),
    [
        ("cluster", 0, 'services is forbidden: User "system:serviceaccount:ipfailover:ipfailover" cannot list'),
        ("namespace", 0, "configmaps is forbidden"),
        ("namespace", 1, "configmaps is forbidden"),
    ],
)
def test_a_right_that_is_missing_is_named_and_goes_on_when_it_is_given(
    api: KubeApi, tmp_path: Path, kind: str, number: int, words: str
) -> None:
    whole: Rules = CLUSTER_RULES if kind == "cluster" else namespace_rules(CONFIG_MAP)
    setattr(api, f"{kind}_rules", [rule for at, rule in enumerate(whole) if at != number])
    api.put("services", service("one", 1))
    with following(api, tmp_path) as node:
        node.wait_until_told(words)
        assert node.vips == ["10.0.0.1", "10.0.0.2"]
        setattr(api, f"{kind}_rules", whole)
        node.wait_for("10.0.0.20")
        assert sum(words in line for line in node.told) == 1


@pytest.mark.parametrize("in_stream", [True, False])
def test_what_is_too_old_is_listed_anew(api: KubeApi, tmp_path: Path, in_stream: bool) -> None:
    api.gone_in_stream = in_stream
    api.put("services", service("one", 1))
    with following(api, tmp_path) as node:
        node.wait_for("10.0.0.20")
        lists = api.count(f"GET {SERVICES} 200")
        api.compact()
        wait_until("it is listed anew", lambda: api.count(f"GET {SERVICES} 200") > lists)
        api.put("services", service("two", 2))
        node.wait_for("10.0.0.20", "10.0.0.21")
        assert node.told == []


def test_bookmarks_keep_a_quiet_watch_from_growing_too_old(api: KubeApi, tmp_path: Path) -> None:
    with following(api, tmp_path, pace=QUICK._replace(watch=1)) as node:
        api.put("services", service("one", 1))
        node.wait_for("10.0.0.20")
        at = api.version
        for _ in range(5):  # changes of another kind
            api.put("events", {"kind": "Event", "metadata": {"name": f"e{api.version}", "namespace": "default"}})
        wait_until(
            "the next watch begins behind them",
            lambda: any(one.startswith(f"WATCH {SERVICES} ") and int(one.split()[-1]) >= at + 5 for one in api.asked),
        )
        assert node.told == []


def test_a_watch_in_which_nothing_comes_is_begun_anew(api: KubeApi, tmp_path: Path) -> None:
    with following(api, tmp_path, pace=QUICK._replace(silence=0.5)) as node:
        api.put("services", service("one", 1))
        node.wait_for("10.0.0.20")
        api.is_silent = True
        watches = api.count(f"WATCH {SERVICES}")
        wait_until("others are begun", lambda: api.count(f"WATCH {SERVICES}") >= watches + 2)
        api.is_silent = False
        api.put("services", service("two", 2))
        node.wait_for("10.0.0.20", "10.0.0.21")


def test_a_server_that_asks_for_patience_gets_it(api: KubeApi, tmp_path: Path) -> None:
    busy = [time.monotonic()]

    def refuse(request: web.Request) -> Refusal | None:
        if request.path != SERVICES or len(busy) > 1:
            return None
        busy.append(time.monotonic())
        return Refusal(429, "TooManyRequests", "please wait", {"Retry-After": "2"})

    api.refusing = refuse
    api.put("services", service("one", 1))
    with following(api, tmp_path) as node:
        node.wait_for("10.0.0.20")
        assert time.monotonic() - busy[1] >= 2
        node.wait_until_told("the API answers 429: please wait; what was known stays in force")


@pytest.mark.parametrize(("status", "longest"), [(500, 60), (503, 60), (504, 60), (404, 0.5)])
def test_a_server_with_trouble_is_asked_ever_less_often(
    api: KubeApi, tmp_path: Path, status: int, longest: float
) -> None:
    asked: list[float] = []

    def refuse(request: web.Request) -> Refusal | None:
        if request.path != SERVICES:
            return None
        asked.append(time.monotonic())
        return Refusal(status, "X", "etcd\nis away")

    api.refusing = refuse
    with following(api, tmp_path, pace=QUICK._replace(least_wait=0.1, longest_wait=longest)) as node:
        node.wait_until_told(f"GET {SERVICES}: the API answers {status}: etcd is away; what was known stays in force")
        wait_until("it was tried again", lambda: len(asked) >= 4)
        # What is refused for good is tried after the longest wait at once.
        waits = [longest] * 3 if status == 404 else [0.05, 0.1, 0.2]
        assert all(after - before >= least for before, after, least in zip(asked, asked[1:], waits))
        assert len(node.told) == 1
        wait_until("the report has it", lambda: node.report is not None and f"{status}" in node.report.trouble)


def test_the_api_away_and_back(tmp_path: Path) -> None:
    account = tmp_path / "account"
    account.mkdir()
    with socket.socket() as reserved:  # nobody else gets the port while nobody listens there
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        with KubeApi(account).serving(port) as first:
            with following(first, tmp_path) as node:
                first.put("services", service("one", 1))
                node.wait_for("10.0.0.20")
            objects = first.objects
        # A node that starts while it is away has what it had.
        with following(first, tmp_path) as node:
            node.wait_until_told("the API cannot be reached: connection refused; what was known stays in force")
            assert node.vips[2:] == ["10.0.0.20"]
            with KubeApi(account).serving(port) as second:
                for resource, found in objects.items():
                    for one in found.values():
                        second.put(resource, one)
                node.wait_until_told("Services: all is well again")
                second.put("services", service("two", 2))
                node.wait_for("10.0.0.20", "10.0.0.21")


def test_a_server_of_another_authority_is_not_believed(api: KubeApi, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(api.account / "ca.crt"))
    api.put("services", service("one", 1))
    with following(api, tmp_path) as node:
        node.wait_until_told("the API's certificate is not trusted: ")
        assert api.asked == []
        api.ca.cert_pem.write_to_path(str(api.account / "ca.new"))
        (api.account / "ca.new").rename(api.account / "ca.crt")
        node.wait_for("10.0.0.20")


def test_many_services_come_in_pages(api: KubeApi, tmp_path: Path) -> None:
    for number in range(1, 9):
        api.put("services", service(f"web-{number}", number))
    with following(api, tmp_path) as node:
        wait_until("all are there", lambda: len(node.vips) == 10)
        assert api.count(f"GET {SERVICES} 200") == 3


def test_a_page_that_has_expired_begins_the_list_anew(api: KubeApi, tmp_path: Path) -> None:
    for number in range(1, 9):
        api.put("services", service(f"web-{number}", number))
    expired: list[str] = []

    def expire(request: web.Request) -> None:
        if "continue" in request.query and not expired:
            expired.append(request.query["continue"])
            api.continued.clear()

    api.refusing = expire
    with following(api, tmp_path) as node:
        wait_until("all are there", lambda: len(node.vips) == 10)
        assert (len(expired), node.told) == (1, [])


def _answer(body: bytes, **headers: str) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": "application/json", **headers})


LIST: dict[str, Any] = {"kind": "ServiceList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []}
ANSWERS = {
    "no-json": (_answer(b"<html>"), "the answer is no object of Kubernetes"),
    "deep": (_answer(b"[" * 100_000), "the answer is no object of Kubernetes"),
    "a-number": (_answer(b"7"), "the answer is no object of Kubernetes"),
    "no-version": (_answer(b'{"items": []}'), "the answer is no list of Kubernetes"),
    "no-utf-8": (_answer(b'{"a": "\xff"}'), "the answer is no object of Kubernetes"),
    "huge": (_answer(b" " * 300_000 + b"{}"), "the answer is more than 200000 bytes"),
    "compressed": (_answer(gzip.compress(json.dumps(LIST).encode()), **{"Content-Encoding": "gzip"}), "compressed"),
    "endless": (_answer(json.dumps({**LIST, "metadata": {"resourceVersion": "1", "continue": "x"}}).encode()), "pages"),
    "moved": (web.Response(status=302, headers={"Location": "https://192.0.2.1/"}), "the API answers 302"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_none_takes_nothing_away(api: KubeApi, tmp_path: Path, name: str) -> None:
    answer, words = ANSWERS[name]
    api.put("services", service("one", 1))
    with following(api, tmp_path, pace=QUICK._replace(largest=200_000, most_pages=5)) as node:
        node.wait_for("10.0.0.20")

        def answering(request: web.Request) -> web.StreamResponse | None:
            if request.path != SERVICES:
                return None
            return web.Response(body=answer.body, status=answer.status, headers=answer.headers)

        api.refusing = answering
        api.compact()
        node.wait_until_told(words)
        assert node.vips[2:] == ["10.0.0.20"]
        assert sum(words in line for line in node.told) == 1
        api.refusing = lambda _: None
        api.put("services", service("two", 2))
        node.wait_for("10.0.0.20", "10.0.0.21")


def _event(found: object, kind: str = "MODIFIED") -> bytes:
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


WATCHED = {
    "nothing": (b"", ""),
    "no-json": (b"}{\n", "what it watches is no event of Kubernetes"),
    "no-object": (_event(None), "an event has no resourceVersion"),
    "an-error": (_event({"code": 500, "message": "etcd"}, "ERROR"), "the watch ends: etcd"),
    "huge": (b"x" * 300_000, "an event is more than 200000 bytes"),
}


@pytest.mark.parametrize("name", WATCHED)
def test_a_watch_that_is_none_is_not_begun_without_a_pause(api: KubeApi, tmp_path: Path, name: str) -> None:
    body, words = WATCHED[name]
    api.put("services", service("one", 1))
    begun: list[float] = []

    def answering(request: web.Request) -> web.StreamResponse | None:
        if request.path != SERVICES or "watch" not in request.query:
            return None
        begun.append(time.monotonic())
        return _answer(body)

    api.refusing = answering
    with following(api, tmp_path, pace=QUICK._replace(largest=200_000, longest_wait=60)) as node:
        node.wait_for("10.0.0.20")
        wait_until("it was tried again", lambda: len(begun) >= 4)
        assert begun[3] - begun[0] >= 0.05 * 0.5 * (1 + 2 + 4)
        if words:
            node.wait_until_told(words)
        assert node.is_well


HOSTILE: dict[str, Any] = {
    "name": {"metadata": {"name": "x; reboot", "namespace": "default", "uid": "1", "resourceVersion": "1"}},
    "namespace": {"metadata": {"name": "x", "namespace": "../../nodes", "uid": "1", "resourceVersion": "1"}},
    "no-name": {"metadata": {"resourceVersion": "1"}},
    "no-metadata": {"metadata": None},
    "uid": {"metadata": {"name": "x", "namespace": "default", "uid": {"a": 1}, "resourceVersion": "1"}},
    "spec": {"spec": ["LoadBalancer"]},
    "address": {"spec": {"loadBalancerIP": {"a": "10.0.0.21"}}},
    "address-text": {"spec": {"loadBalancerIP": "10.0.0.21\nOPENSHIFT_HA_CHECK_SCRIPT=reboot"}},
    "families": {"spec": {"ipFamilies": [4, None, {"a": 1}, "IPv9"]}},
    "ports": {"spec": {"ports": "80"}},
    "port": {"spec": {"ports": [None, 7, {"nodePort": "30001; reboot"}, {"nodePort": -1}, {"nodePort": True}]}},
    "ingress": {"status": {"loadBalancer": {"ingress": {"ip": 7}}}},
    "policy": {"spec": {"externalTrafficPolicy": "Local", "healthCheckNodePort": "1 --address 192.0.2.1"}},
    "external": {"spec": {"externalIPs": ["10.9.55.1/24", 7, None, "x" * 100_000]}},
    "annotations": {"metadata": {"name": "x", "namespace": "default", "uid": "1", "resourceVersion": "1",
                                 "creationTimestamp": "y", "annotations": {"hachecks.internal/vips": "1," * 10_000}}},
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_service_that_no_cluster_has_hurts_no_other(api: KubeApi, tmp_path: Path, name: str) -> None:
    good = api.put("services", service("good", 2))
    bad = service("bad", 1)
    bad["metadata"].update({"uid": "1", "creationTimestamp": "2026-11-30T00:00:00Z", "resourceVersion": "1"})
    for part, value in HOSTILE[name].items():
        bad[part] = {**bad[part], **value} if part != "metadata" and isinstance(value, dict) else value

    def answering(request: web.Request) -> web.StreamResponse | None:
        if request.path != SERVICES or "watch" in request.query:
            return None
        return _answer(
            json.dumps({**LIST, "metadata": {"resourceVersion": "1001"}, "items": [bad, good, 7, None]}).encode()
        )

    api.refusing = answering
    with following(api, tmp_path, external_ip_range=("10.9.55.0/24",)) as node:
        wait_until("the good one is there", lambda: any("nodeport 30002" in one for one in node.checks.values()))
        commands = {*node.checks.values()} - {"true"}
        assert all(one.replace("/etc/keepalive/hacheck nodeport ", "")[:5].isdigit() for one in commands)
        assert "reboot" not in node.env
        assert all(line.isprintable() and len(line) < 600 for line in node.told)
        assert not any("internal error" in line for line in node.told)
        assert set(allocations(api)) <= {"default/good", "default/bad", "default/x"}


def test_of_a_write_that_is_refused_all_is_kept(api: KubeApi, tmp_path: Path) -> None:
    with following(api, tmp_path) as node:
        api.put("services", service("one", 1))
        node.wait_for("10.0.0.20")
        api.refusing = lambda request: Refusal(422, "Invalid", "quota") if request.method == "PUT" else None
        api.put("services", service("two", 2))
        path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{CONFIG_MAP}"
        node.wait_until_told(f"PUT {path}: the API answers 422: quota; what was known stays in force")
        assert node.vips[2:] == ["10.0.0.20"]
        api.refusing = lambda _: None
        node.wait_for("10.0.0.20", "10.0.0.21")
