"""The http probe against a real nginx: TLS, client certificates, HTTP/2, PROXY protocol, unix sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import nginx
from tests.probes.asking import line_of, verdict_of
from tests.servers import Tunnel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.nginx import Nginx


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """An nginx with all its listeners."""
    with nginx.running(tmp_path_factory.mktemp("nginx")) as server:
        yield server


@pytest.mark.parametrize(
    ("listener", "words"),
    [
        pytest.param("plain", ("--json", '.protocol == "HTTP/1.1"'), id="ipv4"),
        pytest.param("plain6", ("--json", r'.host =~ "^\\[::1\\]:"'), id="ipv6"),
        pytest.param("h2c", ("--http2", "--json", '.protocol == "HTTP/2.0"'), id="http2-without-tls"),
        pytest.param("h2c", ("--http2", "--json", '.method == "POST"', "--body", "hello"), id="http2-with-a-body"),
        pytest.param("proxied", ("--proxy-protocol", "v1", "--json", '.from == "127.0.0.1"'), id="proxy-protocol-v1"),
        pytest.param("proxied", ("--proxy-protocol", "v2", "--json", '.from == "127.0.0.1"'), id="proxy-protocol-v2"),
        pytest.param(
            "proxied",
            ("--proxy-protocol", "v2", "--source", "127.0.0.7", "--json", '.from == "127.0.0.7"'),
            id="proxy-protocol-source",
        ),
    ],
)
def test_asks_in_the_way_it_was_told(web: Nginx, listener: str, words: tuple[str, ...]) -> None:
    url = web.url(listener)
    assert line_of("http", url, *words) == f"PASS - {url} answered 200 in T"


def test_unix_socket_is_asked_with_the_url_s_host(web: Nginx) -> None:
    words = ("--connect-to", f"unix:{web.socket}", "--json", '.host == "app.example"')
    assert line_of("http", "http://app.example/echo", *words) == "PASS - http://app.example/echo answered 200 in T"


@pytest.mark.parametrize(
    ("listener", "words"),
    [
        pytest.param("tls", ("--json", '.protocol == "HTTP/1.1"'), id="http1"),
        pytest.param("h2", ("--http2", "--json", '.protocol == "HTTP/2.0"'), id="http2"),
        pytest.param("tls", ("--tls-min", "1.3"), id="newest-tls"),
        pytest.param("tls", ("--tls-max", "1.2"), id="older-tls"),
        pytest.param("expiring", ("--min-days-left", "3"), id="days-left"),
    ],
)
def test_certificate_is_verified(web: Nginx, listener: str, words: tuple[str, ...]) -> None:
    url = web.url(listener)
    assert line_of("http", url, "--ca-file", web.ca_file, *words) == f"PASS - {url} answered 200 in T"


def test_days_left_are_measured(web: Nginx) -> None:
    verdict = verdict_of("http", web.url("expiring"), "--ca-file", web.ca_file)
    assert 4 * 86400 < verdict.measured["certificate_expires_seconds"] < 5 * 86400
    assert list(verdict.phases)[:3] == ["resolve", "connect", "tls"]


@pytest.mark.parametrize(
    ("listener", "host", "why"),
    [
        pytest.param("tls", "named.example", None, id="right-name"),
        pytest.param(
            "tls",
            "wrong.example",
            "Hostname mismatch, certificate is not valid for 'wrong.example'",
            id="wrong-name",
        ),
        pytest.param(
            "tls", "127.0.0.2", "IP address mismatch, certificate is not valid for '127.0.0.2'", id="wrong-address"
        ),
    ],
)
def test_connect_to_keeps_the_name_that_is_asked_for(web: Nginx, listener: str, host: str, why: str | None) -> None:
    url = web.url(listener, host=host)
    words = ("--ca-file", web.ca_file, "--connect-to", "127.0.0.1", "--json", f'.server_name == "{host}"')
    line = line_of("http", url, *words)
    if why is None:
        assert line == f"PASS - {url} answered 200 in T"
    else:
        assert line.rstrip(".") == f"FAIL - 127.0.0.1:{web.ports[listener]}: TLS failed: {why}"


def test_server_name_is_asked_for_and_expected_in_place_of_the_host(web: Nginx) -> None:
    words = ("--ca-file", web.ca_file, "--server-name", "named.example", "--json", '.server_name == "named.example"')
    url = web.url("tls")
    assert line_of("http", url, *words) == f"PASS - {url} answered 200 in T"


@pytest.mark.parametrize(
    ("listener", "words", "why"),
    [
        pytest.param("tls", (), "TLS failed: unable to get local issuer certificate", id="unknown-authority"),
        pytest.param(
            "tls", ("--ca-file", "other"), "TLS failed: unable to get local issuer certificate", id="other-authority"
        ),
        pytest.param("plain", (), "TLS failed: what it answered is not TLS", id="no-tls"),
        pytest.param(
            "expiring",
            ("--ca-file", "own", "--min-days-left", "7"),
            "the certificate expires in 5.0 days, expected at least 7",
            id="days-left",
        ),
    ],
)
def test_certificate_that_is_no_good_fails(web: Nginx, listener: str, words: tuple[str, ...], why: str) -> None:
    files = {"other": str(web.other_ca_file), "own": str(web.ca_file)}
    url = f"https://localhost:{web.ports[listener]}/echo"
    line = line_of("http", url, *(files.get(word, word) for word in words))
    assert line == f"FAIL - localhost:{web.ports[listener]}: {why}"


def test_unverified_certificate_passes_when_told_so(web: Nginx) -> None:
    url = web.url("tls")
    assert line_of("http", url, "--no-verify") == f"PASS - {url} answered 200 in T"


def test_missing_authority_file_is_unknown(web: Nginx) -> None:
    line = line_of("http", web.url("tls"), "--ca-file", "/nonexistent/ca.pem")
    assert line == "UNKNOWN - cannot use /nonexistent/ca.pem: No such file or directory"


def test_client_certificate_is_presented(web: Nginx) -> None:
    url = web.url("mutual")
    words = ("--ca-file", web.ca_file, "--cert-file", web.client_file, "--json", '.client =~ "CN=keepalived"')
    assert line_of("http", url, *words) == f"PASS - {url} answered 200 in T"


def test_client_certificate_that_is_missing_fails(web: Nginx) -> None:
    url = web.url("mutual")
    line = line_of("http", url, "--ca-file", web.ca_file)
    assert line == f"FAIL - {url} answered 400 in T; expected 200-299"


@pytest.mark.parametrize(
    ("listener", "words"),
    [
        pytest.param("plain", ("--http2",), id="http2-where-only-http1-is-spoken"),
        pytest.param("h2c", (), id="http1-where-only-http2-is-spoken"),
        pytest.param("proxied", (), id="no-proxy-protocol"),
        pytest.param("tls", ("--http2", "--no-verify"), id="http2-that-is-not-offered"),
    ],
)
def test_server_that_speaks_otherwise_fails(web: Nginx, listener: str, words: tuple[str, ...]) -> None:
    assert line_of("http", web.url(listener), *words).startswith("FAIL - ")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        pytest.param((), "FAIL", id="nobody"),
        pytest.param(("--basic-file", "wrong"), "FAIL", id="wrong-password"),
        pytest.param(("--basic-file", "right"), "PASS", id="right-password"),
    ],
)
def test_logs_in(web: Nginx, words: tuple[str, ...], status: str) -> None:
    (web.directory / "right").write_text("keepalived:s3cret\n")
    (web.directory / "wrong").write_text("keepalived:guess\n")
    files = [str(web.directory / word) if word in ("right", "wrong") else word for word in words]
    verdict = verdict_of("http", web.url("plain", "/private"), *files)
    assert verdict.status.value == status
    assert verdict.measured["status"] == (200 if status == "PASS" else 401)


@pytest.mark.parametrize(
    ("listener", "words"),
    [pytest.param("tls", (), id="http1"), pytest.param("h2", ("--http2",), id="http2")],
)
def test_https_is_tunneled_through_a_proxy(web: Nginx, tmp_path: Path, listener: str, words: tuple[str, ...]) -> None:
    (tmp_path / "secret").write_text("user:pass")
    url = web.url(listener)
    with Tunnel() as proxy:
        options = ("--proxy", f"http://127.0.0.1:{proxy.port}", "--proxy-basic-file", tmp_path / "secret")
        line = line_of("http", url, "--ca-file", web.ca_file, *options, *words)
    assert line == f"PASS - {url} answered 200 in T"
    goal = f"localhost:{web.ports[listener]}"
    login = "Proxy-Authorization: Basic dXNlcjpwYXNz"
    assert proxy.heard == [f"CONNECT {goal} HTTP/1.1\r\nHost: {goal}\r\n{login}\r\n\r\n".encode()]


@pytest.mark.parametrize("listener", ["plain", "h2c"])
@pytest.mark.parametrize(
    ("path", "words", "status"),
    [
        pytest.param("/", ("--body-matches", "hello from nginx"), 200, id="file"),
        pytest.param("/", ("--method", "HEAD"), 200, id="head"),
        pytest.param("/nothing", ("--status", "404"), 404, id="not-found"),
        pytest.param("/health", ("--json", ".checks | length == 2"), 200, id="json"),
        pytest.param("/to-health", ("--redirects", "same-host", "--json", ".queue.depth <= 3"), 200, id="redirect"),
    ],
)
def test_both_versions_give_the_same_answers(
    web: Nginx, listener: str, path: str, words: tuple[str, ...], status: int
) -> None:
    version = ("--http2",) if listener == "h2c" else ()
    verdict = verdict_of("http", web.url(listener, path), *words, *version)
    assert verdict.status.value == "PASS"
    assert verdict.measured["status"] == status
