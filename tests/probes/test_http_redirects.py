"""Redirects as servers write them, and the way to where they lead."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.probes.asking import is_plain, line_of
from tests.servers import Http, Route
from tests.talker import Talker, talking

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path


def to(location: str, status: int = 302) -> Route:
    """A redirect there."""
    return Route(status=status, headers={"Location": location})


def redirecting(location: bytes, goal: bytes = b"") -> Callable[[socket.socket, Talker], None]:
    """Redirect from / to this location, and answer 200 at the goal alone."""

    def talk(connection: socket.socket, talker: Talker) -> None:
        target = connection.recv(65536).split(b" ")[1]
        talker.heard.append(target)
        if target == b"/":
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n")
        else:
            status = b"200 OK" if target == goal else b"404 Not Found"
            connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    return talk


@pytest.mark.parametrize(
    ("location", "goal"),
    [
        pytest.param("/über uns".encode(), b"/%C3%BCber%20uns", id="utf-8-and-a-blank"),
        pytest.param("/über".encode("latin-1"), b"/%FCber", id="latin-1"),
        pytest.param(b"/a%20b", b"/a%20b", id="encoded-already"),
        pytest.param(b"there?q=a b", b"/there?q=a%20b", id="relative"),
        pytest.param(b"/there#part", b"/there", id="fragment"),
        pytest.param(b"\r\nLocation: /there", b"/there", id="the-first-that-says-something"),
    ],
)
def test_is_followed_as_curl_follows_it(location: bytes, goal: bytes) -> None:
    with talking(redirecting(location, goal)) as talker:
        line = line_of("http", f"http://{talker.address}/", "--redirects", "same-host")
    assert line.startswith("PASS - "), (line, talker.heard)
    assert talker.heard == [b"/", goal]


def test_without_a_location_is_an_answer_like_any_other() -> None:
    with talking(redirecting(b"")) as talker:
        line = line_of("http", f"http://{talker.address}/", "--redirects", "same-host")
    assert line == f"FAIL - http://{talker.address}/ answered 302 in T; expected 200-299"


@pytest.mark.parametrize("location", [b"http://[", b"ftp://a/", b"http://\xff/", b"http://a:99999/", b"http://"])
def test_to_no_url_fails_in_plain_words(location: bytes) -> None:
    with talking(redirecting(location)) as talker:
        line = line_of("http", f"http://{talker.address}/", "--redirects", "any-host")
    assert line.startswith(f"FAIL - http://{talker.address}/ redirects to what is not a URL: ")
    assert is_plain(line)


def test_after_a_post_may_lead_to_the_same_page() -> None:
    def talk(connection: socket.socket, _: Talker) -> None:
        posted = connection.recv(65536).startswith(b"POST")
        said = b"303 See Other\r\nLocation: /" if posted else b"200 OK"
        connection.sendall(b"HTTP/1.1 " + said + b"\r\nContent-Length: 0\r\n\r\n")

    with talking(talk) as talker:
        url = f"http://{talker.address}/"
        line = line_of("http", url, "--body", "x", "--redirects", "same-host")
    assert line == f"PASS - {url} answered 200 in T"


def test_to_the_same_address_written_otherwise_stays_on_the_host() -> None:
    routes: dict[str, Route] = {"/there": Route(b"hello")}
    with Http(routes, host="::1") as web:
        routes["/"] = to(f"http://[0:0:0:0:0:0:0:1]:{web.port}/there")
        line = line_of("http", f"{web.url}/", "--redirects", "same-host")
    assert line.startswith("PASS - ")


class TestConnectTo:
    def test_does_not_stand_for_another_host(self) -> None:
        with Http({"/login": Route(b"login")}) as there:
            routes = {"/": to(f"http://localhost:{there.port}/login"), "/login": Route(b"wrong")}
            with Http(routes, host="127.0.0.2") as here:
                words = ("--connect-to", here.address, "--redirects", "any-host", "--body-matches", "login")
                line = line_of("http", "http://shop.example/", *words)
        expected = f"http://localhost:{there.port}/login (redirected from http://shop.example/) answered 200 in T"
        assert line == f"PASS - {expected}"
        assert there.requests[-1].headers["Host"] == f"localhost:{there.port}"

    def test_stands_for_the_same_host_again(self) -> None:
        with Http({"/": to("http://SHOP.example/login"), "/login": Route(b"login")}) as here:
            words = ("--connect-to", here.address, "--redirects", "same-host", "--body-matches", "login")
            assert line_of("http", "http://shop.example/", *words).startswith("PASS - ")
        assert len(here.requests) == 2

    def test_gives_the_node_but_not_its_port_for_another_port_of_the_host(self) -> None:
        routes: dict[str, Route] = {}
        with Http({"/login": Route(b"login")}) as other, Http(routes) as here:
            routes["/"] = to(f"http://shop.example:{other.port}/login")
            words = ("--connect-to", here.address, "--redirects", "same-host", "--body-matches", "login")
            assert line_of("http", "http://shop.example/", *words).startswith("PASS - ")
        assert other.requests[-1].headers["Host"] == f"shop.example:{other.port}"

    def test_that_is_a_unix_socket_has_all_ports_of_the_host(self, tmp_path: Path) -> None:
        talk = redirecting(b"http://shop.example:8080/there", b"/there")
        with talking(talk, path=str(tmp_path / "s")) as talker:
            words = ("--connect-to", f"unix:{tmp_path}/s", "--redirects", "same-host")
            line = line_of("http", "http://shop.example/", *words)
        assert line.startswith("PASS - http://shop.example:8080/there (redirected from http://shop.example/)")
        assert talker.heard == [b"/", b"/there"]

    def test_stands_for_the_host_when_it_is_come_back_to(self) -> None:
        routes = {"/back": Route(b"back")}
        with Http(routes) as here, Http({"/a": to("http://shop.example/back")}) as other:
            routes["/"] = to(f"http://localhost:{other.port}/a")
            words = ("--connect-to", here.address, "--redirects", "any-host", "--body-matches", "back")
            line = line_of("http", "http://shop.example/", *words)
        assert line.startswith("PASS - http://shop.example/back (redirected from http://shop.example/)")


def test_another_host_is_asked_by_its_own_name(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    home, other = (ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) for _ in range(2))
    authority.issue_cert("shop.example").configure_cert(home)
    authority.issue_cert("localhost").configure_cert(other)
    routes: dict[str, Route] = {}
    words = ("--ca-file", tmp_path / "ca.pem", "--server-name", "shop.example", "--header", "Host: shop.example")
    with Http({"/": Route(b"hello")}, context=other) as there, Http(routes, context=home) as here:
        routes["/"] = to(f"https://localhost:{there.port}/")
        line = line_of("http", f"{here.url}/", *words, "--redirects", "any-host", timeout=5)
    assert line.startswith("PASS - "), line
    assert here.requests[-1].headers["Host"] == "shop.example"
    assert there.requests[-1].headers["Host"] == f"localhost:{there.port}"
