"""The package's HTTP client keeps one deadline and one limit, with httpx and in its absence."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from hachecks import client
from hachecks.deadline import Deadline, TimedOut
from hachecks.http.headers import Header
from hachecks.http.url import Url
from hachecks.messages.not_delivered import NotDelivered
from hachecks.services import http_options
from hachecks.settings import build
from hachecks.status import StatusOptions
from tests.cli import ROOT, hacheck
from tests.servers import (
    Dripping,
    DrippingBody,
    DrippingHttp,
    EndlessBody,
    EndlessHeaders,
    GzipBomb,
    Http,
    RedirectLoop,
    Refusing,
    Route,
    Server,
    Silent,
    patient,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hachecks.services.http_options import HttpOptions

TIMEOUT, GRACE = 0.5, 5.0
LIMIT = 100_000
DOCUMENT: dict[str, Any] = {
    "node": "node-1", "at": 1.0, "agrees": True, "keepalived": {"runs": True}, "vips": [], "instances": [],
    "disagreements": [], "hints": [], "findings": [], "sources": [], "checks": [], "notifiers": [],
}  # fmt: skip
GETS = [
    pytest.param(client.get, id="httpx"),
    pytest.param(http_options.get, id="without-httpx"),
]


def options(**table: Any) -> HttpOptions:
    found: HttpOptions = build(StatusOptions, "status", {}, {}, table, "hacheck.toml")
    return found


def got(
    get: Callable[..., tuple[int, bytes]], url: str, *headers: Header, timeout: float = 20, **table: Any
) -> tuple[int, bytes]:
    return get(options(**table), Url.parse(url), headers, Deadline.after(timeout), LIMIT)


@pytest.mark.parametrize("animal", [Silent, Dripping, DrippingHttp, DrippingBody])
@pytest.mark.parametrize("get", GETS)
def test_whatever_drips_ends_at_the_deadline(get: Callable[..., Any], animal: type[Server]) -> None:
    with patient(animal) as server:
        began = time.monotonic()
        with pytest.raises((TimedOut, NotDelivered)):
            got(get, f"http://127.0.0.1:{server.port}/", timeout=TIMEOUT)
        assert time.monotonic() - began < TIMEOUT + GRACE


def test_a_dripping_exporter_is_told_of_at_the_timeout() -> None:
    with patient(DrippingBody) as server:
        done = hacheck("status", "--url", f"http://127.0.0.1:{server.port}/", "--timeout", "500ms")
    assert done.code == 1
    assert "gave no answer within 500 ms" in done.line


def test_without_our_transport_httpx_reads_what_drips_for_longer_than_its_timeout() -> None:
    with patient(DrippingBody) as server:
        began = time.monotonic()
        with httpx.Client(trust_env=False, timeout=2) as plain, plain.stream(
            "GET", f"http://127.0.0.1:{server.port}/"
        ) as response:  # fmt: skip
            for _ in response.iter_raw():
                if time.monotonic() - began > 2.5:
                    return
    pytest.fail("it kept its timeout as a deadline: our transport may go")


@pytest.mark.parametrize("get", GETS)
def test_of_an_endless_body_no_more_than_the_limit_is_read(get: Callable[..., tuple[int, bytes]]) -> None:
    with patient(EndlessBody) as server:
        assert got(get, f"http://127.0.0.1:{server.port}/") == (200, b"x" * LIMIT)


@pytest.mark.parametrize("get", GETS)
def test_endless_headers_are_refused(get: Callable[..., tuple[int, bytes]]) -> None:
    with patient(EndlessHeaders) as server, pytest.raises(NotDelivered):
        got(get, f"http://127.0.0.1:{server.port}/")


@pytest.mark.parametrize("get", GETS)
def test_what_is_packed_unasked_is_not_unpacked(get: Callable[..., tuple[int, bytes]]) -> None:
    with patient(GzipBomb) as server:
        status, body = got(get, f"http://127.0.0.1:{server.port}/")
    assert (status, body[:2]) == (200, b"\x1f\x8b")
    assert len(body) <= LIMIT


@pytest.mark.parametrize("get", GETS)
def test_a_redirect_is_not_followed(get: Callable[..., tuple[int, bytes]]) -> None:
    with patient(RedirectLoop) as server:
        assert got(get, f"http://127.0.0.1:{server.port}/")[0] == 302


@pytest.mark.parametrize("get", GETS)
def test_the_request_is_the_same_with_httpx(get: Callable[..., tuple[int, bytes]]) -> None:
    with Http({"/a?b=c": Route(b"d", headers={"X-Odd": "\xfc"})}) as server:
        assert got(get, f"{server.url}/a?b=c", Header("X-Name", "J\xf6rg")) == (200, b"d")
        (asked,) = server.requests
    agent = asked.headers["User-Agent"]
    assert agent.startswith("hacheck/")
    assert (asked.method, asked.body) == ("GET", b"")
    assert asked.headers == {
        "Host": server.address,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "User-Agent": agent,
        "Connection": "close",
        "X-Name": "J\xf6rg".encode().decode("latin-1"),
    }


@pytest.mark.parametrize("get", GETS)
def test_our_options_for_the_way_are_kept(get: Callable[..., tuple[int, bytes]], tmp_path: Path) -> None:
    login = tmp_path / "login"
    login.write_text("user:secret\n")
    with Http({"http://exporter.test/x": Route(b"by proxy"), "/x": Route(b"connected to")}) as server:
        proxied = got(get, "http://exporter.test/x", proxy=server.url, proxy_basic_file=str(login))
        assert proxied == (200, b"by proxy")
        assert server.requests[0].headers["Proxy-Authorization"] == "Basic dXNlcjpzZWNyZXQ="
        assert got(get, "http://exporter.test/x", connect_to=server.address) == (200, b"connected to")
        assert server.requests[1].headers["Host"] == "exporter.test"


def test_what_httpx_sends_with_a_body_arrives_once_and_whole() -> None:
    routes = {"/": Route(b"thanks", headers={"Set-Cookie": "a=b"})}
    with Http(routes) as server, client.client(options(), Deadline.after(5), LIMIT) as one:
        assert one.post(server.url, content=b"whole").text == "thanks"
        assert one.put(server.url, content=iter([b"in ", b"parts"])).headers["Set-Cookie"] == "a=b"
        assert [(asked.method, asked.body) for asked in server.requests] == [("POST", b"whole"), ("PUT", b"in parts")]
        assert "Transfer-Encoding" not in server.requests[1].headers


def test_one_deadline_is_that_of_all_requests_of_a_client() -> None:
    deadline = Deadline.after(2)
    with Http({"/": Route(b"")}) as server, client.client(options(), deadline, LIMIT) as one:
        one.get(server.url)
        while time.monotonic() < deadline.at:
            time.sleep(0.05)
        with pytest.raises(TimedOut):
            one.get(server.url)
        assert len(server.requests) == 1


@pytest.mark.parametrize("get", GETS)
def test_what_is_no_address_is_not_asked(get: Callable[..., tuple[int, bytes]]) -> None:
    with pytest.raises(NotDelivered, match=r"1\.2\.3\.999"):
        got(get, "http://1.2.3.999/")


def test_an_address_keeps_its_zone() -> None:
    with pytest.raises(NotDelivered, match="fe80::1%lo"):
        got(client.get, "http://[fe80::1%lo]:1/")


def test_nobody_there_is_told_in_the_same_words() -> None:
    told = []
    with Refusing() as nobody:
        for get in (client.get, http_options.get):
            with pytest.raises(NotDelivered) as caught:
                got(get, f"http://127.0.0.1:{nobody.port}/")
            told.append(str(caught.value))
    assert told == [f"127.0.0.1:{nobody.port} refused the connection"] * 2


def status(url: str, blocked: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """`hacheck status --url`, where a module may be absent; its standard error says what was imported."""
    script = (
        f"import os, sys; sys.modules.update(dict.fromkeys({blocked.split()!r})); from hachecks.cli import dispatch; "
        "code = dispatch(sys.argv[1:], os.environ); print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    words = [sys.executable, "-c", script, "status", "--url", url, "--format", "json"]
    environ = {"PATH": "/bin", "PYTHONPATH": str(ROOT), **environ}
    return subprocess.run(words, env=environ, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("blocked", ["", "httpx", "hachecks.client"])
def test_the_status_is_the_same_with_httpx_and_without(blocked: str) -> None:
    with Http({"/api/status": Route(json.dumps(DOCUMENT).encode())}) as server:
        done = status(server.url, blocked)
        assert len(server.requests) == 1
    assert (done.returncode, json.loads(done.stdout)) == (0, DOCUMENT)
    assert ("httpx._client" in done.stderr.split()) == (not blocked)


@pytest.mark.executable
def test_the_executable_tells_the_same_status() -> None:
    words = ["/bin/sh", str(ROOT / "dist" / "hacheck"), "status", "--format", "json", "--url"]
    with Http({"/api/status": Route(json.dumps(DOCUMENT).encode())}) as server:
        done = subprocess.run([*words, server.url], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, json.loads(done.stdout)) == (0, DOCUMENT)


def test_no_proxy_is_taken_from_the_environment() -> None:
    with Http({"/api/status": Route(json.dumps(DOCUMENT).encode())}) as server, Refusing() as nobody:
        proxy = f"http://127.0.0.1:{nobody.port}"
        done = status(server.url, HTTP_PROXY=proxy, http_proxy=proxy, ALL_PROXY=proxy)
    assert done.returncode == 0
