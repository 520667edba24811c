"""A nodePort that is served here, or is not, as kube-proxy tells it."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from hachecks.http.kube_proxy import ServiceName, local_endpoints, require_healthy
from hachecks.http.response import Response
from hachecks.net.own_address import own_address
from hachecks.net.transport import NetworkOptions
from hachecks.verdict import Failure
from tests.cli import hacheck
from tests.probes.asking import line_of, verdict_of
from tests.servers import Http, Listening, Refusing, Route

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = own_address(NetworkOptions())
CONTRACTS = (
    "{port} --request http --status 204",
    "{port} --request https --no-verify --status 204",
    "{port} --kube-proxy --kube-proxy-port {port} --health-check-node-port {port}",
)
BASES = ("31080", "31080 --request https", "31080 --health-check-node-port 32080")
SAMPLES = {"--status": "200-299", "--path": "/x", "--service": "namespace/name"}


def health(endpoints: object = 2, *, name: str = "web", healthy: bool | None = True, status: int = 200) -> Route:
    """What a service's health check node port answers."""
    document: dict[str, object] = {"service": {"namespace": "default", "name": name}, "localEndpoints": endpoints}
    if healthy is not None:
        document["serviceProxyHealthy"] = healthy
    return Route(json.dumps(document).encode(), status, {"Content-Type": "application/json"})


@pytest.fixture(scope="module")
def service() -> Iterator[Http]:
    """A nodePort behind which something answers."""
    with Http({"/": Route(b"hello"), "/busy": Route(b"", 503)}, host=HERE) as server:
        yield server


def test_own_address_is_nobody_else_s_and_not_loopback(service: Http) -> None:
    assert not HERE.startswith("127.")
    assert line_of("nodeport", service.port) == f"PASS - {HERE}:{service.port} accepts connections"


def test_interface_gives_the_address(service: Http) -> None:
    routes = [line.split() for line in Path("/proc/net/route").read_text().splitlines()]
    interface = next(fields[0] for fields in routes if fields[1] == "00000000")
    line = line_of("nodeport", service.port, "--interface", interface)
    assert line == f"PASS - {HERE}:{service.port} accepts connections"


def test_interface_that_is_not_there_is_unknown(service: Http) -> None:
    line = line_of("nodeport", service.port, "--interface", "nope0")
    assert line == "UNKNOWN - cannot use interface nope0: No such device"


def test_source_is_an_own_address(service: Http) -> None:
    line = line_of("nodeport", service.port, "--source", HERE)
    assert line == f"PASS - {HERE}:{service.port} accepts connections"


def test_refused_connection_fails() -> None:
    with Refusing("0.0.0.0") as nobody:
        assert line_of("nodeport", nobody.port) == f"FAIL - {HERE}:{nobody.port} refused the connection"


class TestRequest:
    def test_good_status_passes(self, service: Http) -> None:
        words = ("--request", "http", "--host", "app.example")
        assert line_of("nodeport", service.port, *words) == f"PASS - http://{HERE}:{service.port}/ answered 200"
        assert service.requests[-1].headers["Host"] == "app.example"

    def test_other_status_fails(self, service: Http) -> None:
        line = line_of("nodeport", service.port, "--request", "http", "--path", "/busy")
        assert line == f"FAIL - http://{HERE}:{service.port}/busy answered 503; expected 200-299"

    def test_expected_status_passes(self, service: Http) -> None:
        words = ("--request", "http", "--path", "/busy", "--status", "503")
        assert line_of("nodeport", service.port, *words).startswith("PASS")

    def test_https_is_verified(self, tmp_path: Path) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("app.example").configure_cert(context)
        words = ("--request", "https", "--ca-file", tmp_path / "ca.pem")
        with Http({"/": Route(b"hello")}, host=HERE, context=context) as web:
            wrong = line_of("nodeport", web.port, *words)
            right = line_of("nodeport", web.port, *words, "--server-name", "app.example")
        assert wrong.startswith(f"FAIL - {HERE}:{web.port}: TLS failed: IP address mismatch")
        assert right == f"PASS - https://{HERE}:{web.port}/ answered 200"

    def test_proxy_protocol_is_spoken_to_the_service_only(self, service: Http) -> None:
        words = ("--request", "http", "--proxy-protocol", "v1", "--kube-proxy")
        with Http({"/healthz": Route(b"{}")}, host=HERE) as proxy:
            verdict = verdict_of("nodeport", service.port, *words, "--kube-proxy-port", proxy.port)
        assert verdict.status.value == "FAIL"
        assert len(proxy.requests) == 1


class TestHealthCheckNodePort:
    @pytest.mark.parametrize(
        ("route", "words", "told"),
        [
            pytest.param(health(2), (), "default/web has 2 local endpoints", id="some"),
            pytest.param(
                health(1), ("--service", "default/web"), "default/web has 1 local endpoint", id="right-service"
            ),
            pytest.param(health(3), ("--local-endpoints", "3"), "default/web has 3 local endpoints", id="enough"),
            pytest.param(health(2, healthy=None), (), "default/web has 2 local endpoints", id="older-kube-proxy"),
        ],
    )
    def test_endpoints_on_this_node_pass(self, route: Route, words: tuple[str, ...], told: str) -> None:
        with Http({"/healthz": route}, host=HERE) as proxy:
            verdict = verdict_of("nodeport", 30080, "--health-check-node-port", proxy.port, *words)
        assert repr(verdict) == f"PASS - {told}"
        assert verdict.measured == {"local_endpoints_count": json.loads(route.body)["localEndpoints"]}

    @pytest.mark.parametrize(
        ("route", "words", "why"),
        [
            pytest.param(
                health(0, status=503), (), "default/web has 0 local endpoints, expected at least 1", id="none"
            ),
            pytest.param(
                health(2),
                ("--local-endpoints", "3"),
                "default/web has 2 local endpoints, expected at least 3",
                id="too-few",
            ),
            pytest.param(
                health(2, healthy=False, status=503),
                (),
                "default/web has 2 local endpoints, but kube-proxy says that itself is not healthy",
                id="unhealthy-proxy",
            ),
            pytest.param(
                health(2, name="api"),
                ("--service", "default/web"),
                "{} is the health check node port of default/api, not of default/web",
                id="other-service",
            ),
            pytest.param(
                Route(b""), (), "{} answered 200 with an empty body: the service has just been closed", id="closed"
            ),
            pytest.param(Route(b"", 503), (), "{} answered 503 with an empty body", id="empty"),
            pytest.param(
                Route(b"hello"), (), '{} answered 200 with "hello", which is not a service\'s health', id="no-json"
            ),
            pytest.param(Route(b"[]"), (), '{} answered 200 with "[]", which is not a service\'s health', id="a-list"),
            pytest.param(Route(b"{}"), (), "{} does not tell the local endpoints of ?/?", id="no-count"),
            pytest.param(
                Route(b'{"service": [], "localEndpoints": 1}'),
                ("--service", "default/web"),
                "{} is the health check node port of ?/?, not of default/web",
                id="no-service",
            ),
            pytest.param(
                health(True), (), "{} does not tell the local endpoints of default/web", id="true-is-no-count"
            ),
            pytest.param(
                health(2, status=500), (), "default/web has 2 local endpoints, but {} answered 500", id="status"
            ),
        ],
    )
    def test_anything_else_fails(self, route: Route, words: tuple[str, ...], why: str) -> None:
        with Http({"/healthz": route}, host=HERE) as proxy:
            line = line_of("nodeport", 30080, "--health-check-node-port", proxy.port, *words)
        assert line == "FAIL - " + why.format(proxy.address)

    def test_is_asked_where_it_listens(self) -> None:
        with Http({"/healthz": health()}) as proxy:
            words = ("--health-check-node-port", proxy.port, "--health-address", "127.0.0.1")
            assert line_of("nodeport", 30080, *words) == "PASS - default/web has 2 local endpoints"

    def test_nothing_goes_through_the_port_unless_told_so(self) -> None:
        with Http({"/healthz": health()}, host=HERE) as proxy, Refusing("0.0.0.0") as nobody:
            words = ("--health-check-node-port", proxy.port)
            assert line_of("nodeport", nobody.port, *words) == "PASS - default/web has 2 local endpoints"
            line = line_of("nodeport", nobody.port, *words, "--request", "tcp")
        assert line == f"FAIL - {HERE}:{nobody.port} refused the connection"


class TestKubeProxy:
    @pytest.mark.parametrize(
        ("route", "line"),
        [
            pytest.param(
                Route(b'{"nodeEligible": true}'), "PASS - kube-proxy is healthy, {} accepts connections", id="ok"
            ),
            pytest.param(
                Route(b'{"lastUpdated": "2026-11-22 16:00:00", "nodeEligible": false}', 503),
                'FAIL - kube-proxy at {} answered 503 (nodeEligible false, lastUpdated "2026-11-22 16:00:00")',
                id="node-is-leaving",
            ),
            pytest.param(Route(b"stale", 503), "FAIL - kube-proxy at {} answered 503", id="older-kube-proxy"),
        ],
    )
    def test_health_is_required(self, route: Route, line: str) -> None:
        with Http({"/healthz": route}, host=HERE) as proxy, Listening(HERE) as service:
            told = line_of("nodeport", service.port, "--kube-proxy", "--kube-proxy-port", proxy.port)
        where = f"{HERE}:{service.port}" if line.startswith("PASS") else proxy.address
        assert told == line.format(where)

    def test_refused_connection_fails(self) -> None:
        with Refusing("0.0.0.0") as nobody, Listening("0.0.0.0") as service:
            line = line_of("nodeport", service.port, "--kube-proxy", "--kube-proxy-port", nobody.port)
        assert line == f"FAIL - {HERE}:{nobody.port} refused the connection"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param(
            ("--address", "127.0.0.1"),
            "127.0.0.1 does not serve nodePorts; give an address that others reach",
            id="loopback",
        ),
        pytest.param(
            ("--address", "::1"), "::1 does not serve nodePorts; give an address that others reach", id="loopback6"
        ),
        pytest.param(
            ("--address", "0:0::0:1"),
            "0:0::0:1 does not serve nodePorts; give an address that others reach",
            id="spelt-out",
        ),
        pytest.param(
            ("--address", "::ffff:127.0.0.1"),
            "::ffff:127.0.0.1 does not serve nodePorts; give an address that others reach",
            id="mapped",
        ),
        pytest.param(("--service", "a/b"), "--service needs --health-check-node-port", id="service"),
        pytest.param(
            ("--request", "none"),
            "--request none leaves nothing to ask; add --health-check-node-port or --kube-proxy",
            id="nothing-to-ask",
        ),
        pytest.param(("--request", "http", "--path", "x"), "the path 'x' does not begin with /", id="path"),
        pytest.param(("--no-verify",), "--no-verify needs TLS (--request https)", id="tls"),
    ],
)
def test_what_contradicts_itself_is_a_usage_error(words: tuple[str, ...], why: str) -> None:
    answer = hacheck("nodeport", "30080", *words)
    assert answer.err == f"hacheck: nodeport: {why}\n"
    assert (answer.code, answer.out) == (2, "")


@given(
    status=st.sampled_from([200, 503]),
    body=st.binary()
    | st.fixed_dictionaries(
        {},
        optional={
            "service": st.text() | st.dictionaries(st.sampled_from(["namespace", "name"]), st.text() | st.none()),
            "localEndpoints": st.integers() | st.booleans() | st.text(),
            "serviceProxyHealthy": st.booleans() | st.text(),
        },
    ).map(lambda document: json.dumps(document).encode()),
)
def test_any_answer_is_a_service_s_health_or_fails(status: int, body: bytes) -> None:
    answer = Response(status, [], body, is_whole=True)
    try:
        _, count = local_endpoints(answer, "here", None, 1)
    except Failure:
        return
    assert status == 200
    assert count >= 1


@given(st.binary())
def test_any_answer_of_an_unhealthy_kube_proxy_fails(body: bytes) -> None:
    with pytest.raises(Failure, match=r"^kube-proxy at here answered 503"):
        require_healthy(Response(503, [], body, is_whole=True), "here")


@pytest.mark.parametrize("text", ["web", "/web", "default/", "a/b/c", "Default/web", "default/-web", "default/w_b"])
def test_what_is_no_service_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not NAMESPACE/NAME of a service"):
        ServiceName.parse(text)
