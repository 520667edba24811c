"""A URL that gives the right answer, or does not."""

from __future__ import annotations

import ssl
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import trustme

from hachecks.checks.watchdog import WITH_LINE_AFTER, WITHOUT_LINE_AFTER
from tests import servers
from tests.cli import hacheck
from tests.measured import measured
from tests.probes.asking import line_of, verdict_of
from tests.servers import Http, Route, patient
from tests.talker import Talker, talking

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

CONTRACTS = (
    "http://{host}:{port}/ --body-matches hello --status 200",
    "http://{host}:{port}/ --body-matches hello --redirects same-host --http2",
    "https://{host}:{port}/ --no-verify",
    "https://{host}:{port}/ --no-verify --proxy http://{host}:{port}",
)
BASES = ("http://h/", "https://h/", "https://h/ --proxy http://p:1")
SAMPLES = {
    "--status": "200-299",
    "--header-matches": "a: b",
    "--header-lacks": "a: b",
    "--json": '.a == "b"',
    "--max-phase": "connect=1s",
}

HEALTH = b'{"status": "ok", "queue": {"depth": 3}, "nodes": [{"read only": false}]}'
ROUTES = {
    "/": Route(b"hello"),
    "/empty": Route(status=204),
    "/health": Route(HEALTH, headers={"Content-Type": "application/json", "X-Version": "1.2"}),
    "/busy": Route(b"busy", 503),
    "/large": Route(b"hello" + b"x" * 100_000 + b"bye"),
    "/unpacked": Route(b"hello", headers={"Content-Encoding": "Identity,"}),
    "/packed": Route(b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"}),
    "/there": Route(status=302, headers={"Location": "/health"}),
    "/round": Route(status=302, headers={"Location": "/about"}),
    "/about": Route(status=302, headers={"Location": "/round"}),
    "/away": Route(status=302, headers={"Location": "http://elsewhere.example/?token=1"}),
    "/odd": Route(status=302, headers={"Location": "ftp://elsewhere.example/"}),
    "/other": Route(status=303, headers={"Location": "/"}),
    "/again": Route(status=307, headers={"Location": "/"}),
    "/nowhere": Route(status=302),
    "/moved": Route(status=301, headers={"Location": "/"}),
    **{f"/step{n}": Route(status=302, headers={"Location": f"/step{n + 1}"}) for n in range(20)},
}


@pytest.fixture(scope="module")
def web() -> Iterator[Http]:
    """A server that gives canned answers."""
    with Http(ROUTES) as server:
        yield server


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("/", (), id="2xx-is-good"),
        pytest.param("/empty", (), id="no-content"),
        pytest.param("/", ("--method", "HEAD"), id="head"),
        pytest.param("/busy", ("--status", "200-299,503"), id="expected-status"),
        pytest.param("/there", ("--status", "302"), id="expected-redirect"),
        pytest.param("/", ("--body-matches", "^hell", "--body-matches", "o$"), id="body-matches"),
        pytest.param("/", ("--body-lacks", "bye"), id="body-lacks"),
        pytest.param("/health", ("--header-matches", "content-type: json"), id="header-matches"),
        pytest.param("/health", ("--header-matches", "X-Version"), id="header-is-there"),
        pytest.param("/health", ("--header-lacks", "X-Version: ^2", "--header-lacks", "Via"), id="header-lacks"),
        pytest.param("/health", ("--json", '.status == "ok"', "--json", ".queue.depth < 100"), id="json"),
        pytest.param("/health", ("--json", '.nodes[0]."read only" == false'), id="json-key-with-a-blank"),
        pytest.param("/", ("--max-phase", "first-byte=20s", "--max-phase", "tls=1ms"), id="phases-in-time"),
        pytest.param("/large", ("--body-matches", "hello", "--body-lacks", "bye"), id="beginning-of-a-large-body"),
        pytest.param("/large", ("--body-matches", "bye", "--max-body", "1MiB"), id="all-of-a-large-body"),
        pytest.param("/unpacked", ("--body-matches", "hello"), id="body-that-says-it-is-not-packed"),
        pytest.param("/packed", (), id="packed-body-that-nobody-looks-at"),
    ],
)
def test_good_answer_passes(web: Http, path: str, words: tuple[str, ...]) -> None:
    status = ROUTES[path].status
    assert line_of("http", web.url + path, *words) == f"PASS - {web.url}{path} answered {status} in T"


@pytest.mark.parametrize(
    ("path", "words", "why"),
    [
        pytest.param("/busy", (), "answered 503 in T; expected 200-299", id="status"),
        pytest.param("/", ("--status", "204,301-303"), "answered 200 in T; expected 204,301-303", id="status-list"),
        pytest.param("/", ("--body-matches", "bye"), "answered 200 in T; its body does not match /bye/", id="body"),
        pytest.param("/", ("--body-lacks", "hel+o"), "answered 200 in T; its body matches /hel+o/", id="unwanted-body"),
        pytest.param("/", ("--header-matches", "Via: x"), "answered 200 in T; it has no header Via", id="no-header"),
        pytest.param(
            "/health",
            ("--header-matches", "X-Version: ^2"),
            "answered 200 in T; its header X-Version does not match /^2/",
            id="header",
        ),
        pytest.param(
            "/health",
            ("--header-lacks", "x-version"),
            "answered 200 in T; it has the header x-version",
            id="unwanted-header",
        ),
        pytest.param(
            "/health",
            ("--json", ".queue.depth < 3"),
            "answered 200 in T; .queue.depth < 3 is not so: it is 3",
            id="json",
        ),
        pytest.param(
            "/health",
            ("--json", ".leader exists"),
            "answered 200 in T; .leader exists is not so: there is no .leader",
            id="json-gap",
        ),
        pytest.param(
            "/",
            ("--json", ".status"),
            "answered 200 in T; its body is not JSON: Expecting value at character 0",
            id="no-json",
        ),
        pytest.param(
            "/large",
            ("--body-matches", "bye"),
            "answered 200 in T; the first 65536 bytes of its body do not match /bye/",
            id="large-body",
        ),
        pytest.param(
            "/large",
            ("--json", ".status"),
            "answered 200 in T; its body is larger than 65536 bytes, so its JSON cannot be judged (--max-body)",
            id="large-json",
        ),
        pytest.param(
            "/packed",
            ("--body-matches", "hello"),
            "answered 200 in T; its body is encoded (gzip), although identity was asked for",
            id="packed-body",
        ),
    ],
)
def test_wrong_answer_fails_with_what_is_wrong(web: Http, path: str, words: tuple[str, ...], why: str) -> None:
    assert line_of("http", web.url + path, *words) == f"FAIL - {web.url}{path} {why}"


def test_phase_that_takes_too_long_fails(web: Http) -> None:
    line = line_of("http", f"{web.url}/", "--max-phase", "first-byte=0.001ms")
    assert line == f"FAIL - {web.url}/ answered 200 in T; first-byte took T, limit 0.0 ms"


def test_measures_status_body_and_phases(web: Http) -> None:
    verdict = verdict_of("http", f"{web.url}/large", "--max-body", "1MiB")
    assert verdict.measured == {"status": 200, "body_bytes": 100_008}
    assert list(verdict.phases) == ["resolve", "connect", "first_byte", "transfer"]


def test_query_is_asked_and_not_shown(web: Http) -> None:
    line = line_of("http", f"{web.url}/?token=s3cret")
    assert line == f"FAIL - {web.url}/?… answered 404 in T; expected 200-299"
    assert web.requests[-1].target == "/?token=s3cret"


def test_ipv6_address_is_asked() -> None:
    with Http(ROUTES, host="::1") as web:
        assert line_of("http", f"{web.url}/") == f"PASS - http://[::1]:{web.port}/ answered 200 in T"
        assert web.requests[-1].headers["Host"] == f"[::1]:{web.port}"


class TestRequest:
    def test_has_the_headers_nobody_should_have_to_think_of(self, web: Http) -> None:
        verdict_of("http", f"{web.url}/")
        headers = dict(web.requests[-1].headers)
        assert headers.pop("User-Agent").startswith("hacheck/")
        assert headers == {
            "Host": web.address,
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }

    def test_headers_come_from_the_command_line_and_from_files(self, web: Http, tmp_path: Path) -> None:
        file = tmp_path / "headers"
        file.write_text("Cookie: session=1\n\nX-From: file\n")
        words = ("--header", "Host: app.example", "--header", "X-Empty:", "--header-file", file)
        verdict_of("http", f"{web.url}/", *words)
        sent = web.requests[-1].headers
        assert (sent["Host"], sent["X-Empty"], sent["Cookie"]) == ("app.example", "", "session=1")
        assert sent["X-From"] == "file"

    def test_body_makes_it_a_post(self, web: Http) -> None:
        verdict_of("http", f"{web.url}/", "--body", "über")
        asked = web.requests[-1]
        assert (asked.method, asked.body, asked.headers["Content-Length"]) == ("POST", "über".encode(), "5")

    def test_body_comes_from_a_file_as_it_is(self, web: Http, tmp_path: Path) -> None:
        file = tmp_path / "body"
        file.write_bytes(b"\x00\xff\n")
        verdict_of("http", f"{web.url}/", "--body-file", file, "--method", "PUT")
        asked = web.requests[-1]
        assert (asked.method, asked.body) == ("PUT", b"\x00\xff\n")

    @pytest.mark.parametrize(
        ("option", "content", "sent"),
        [
            pytest.param("--bearer-file", "s3cret\n", "Bearer s3cret", id="bearer"),
            pytest.param("--basic-file", "user:pass\n", "Basic dXNlcjpwYXNz", id="basic"),
            pytest.param("--bearer-file", "\ufeffs3cret\r\n", "Bearer s3cret", id="bearer-by-an-editor-of-windows"),
        ],
    )
    def test_logs_in_from_a_file(self, web: Http, tmp_path: Path, option: str, content: str, sent: str) -> None:
        file = tmp_path / "secret"
        file.write_text(content)
        assert line_of("http", f"{web.url}/", option, file).startswith("PASS")
        assert web.requests[-1].headers["Authorization"] == sent

    def test_logs_in_from_a_variable(self, web: Http) -> None:
        assert hacheck("http", f"{web.url}/", HACHECK_HTTP_BEARER="s3cret").code == 0
        assert web.requests[-1].headers["Authorization"] == "Bearer s3cret"

    @pytest.mark.parametrize(
        ("option", "content", "why"),
        [
            pytest.param("--bearer-file", None, "cannot read {}: No such file or directory", id="no-file"),
            pytest.param("--bearer-file", b"", "cannot use {}: expected one line of text", id="empty"),
            pytest.param("--bearer-file", b"a\nb\n", "cannot use {}: expected one line of text", id="two-lines"),
            pytest.param("--bearer-file", b"\xff", "cannot read {}: it is not UTF-8 text", id="no-text"),
            pytest.param(
                "--basic-file", b"s3cret", "cannot log in: basic authentication takes USER:PASSWORD", id="no-user"
            ),
            pytest.param(
                "--header-file", b"s3cret", "cannot use {}: a header is written 'Name: value'", id="no-header"
            ),
            pytest.param("--body-file", None, "cannot read {}: No such file or directory", id="no-body"),
        ],
    )
    def test_unusable_file_is_unknown_and_not_quoted(
        self, web: Http, tmp_path: Path, option: str, content: bytes | None, why: str
    ) -> None:
        file = tmp_path / "secret"
        if content is not None:
            file.write_bytes(content)
        assert line_of("http", f"{web.url}/", option, file) == f"UNKNOWN - {why.format(file)}"


class TestRedirects:
    @pytest.mark.parametrize(
        ("path", "end"),
        [
            pytest.param("/there", "/health", id="302"),
            pytest.param("/moved", "/", id="301"),
            pytest.param("/other", "/", id="303"),
            pytest.param("/again", "/", id="307"),
            pytest.param("/step10", None, id="ten"),
        ],
    )
    def test_is_followed_when_allowed(self, web: Http, path: str, end: str | None) -> None:
        if end is None:
            line = line_of("http", f"{web.url}/step10", "--redirects", "same-host")
            expected = f"{web.url}/step20 (redirected from {web.url}/step10) answered 404 in T; expected 200-299"
            assert line == f"FAIL - {expected}"
            return
        line = line_of("http", web.url + path, "--redirects", "same-host")
        assert line == f"PASS - {web.url}{end} (redirected from {web.url}{path}) answered 200 in T"

    @pytest.mark.parametrize(
        ("path", "why"),
        [
            pytest.param("/there", "; it points to {url}/health (--redirects same-host follows it)", id="same-host"),
            pytest.param(
                "/away", "; it points to http://elsewhere.example/?… (--redirects any-host follows it)", id="other-host"
            ),
            pytest.param("/odd", "", id="no-url"),
            pytest.param("/nowhere", "", id="no-location"),
        ],
    )
    def test_is_not_followed_by_default_and_the_reason_says_how(self, web: Http, path: str, why: str) -> None:
        expected = f"FAIL - {web.url}{path} answered 302 in T; expected 200-299{why.format(url=web.url)}"
        assert line_of("http", web.url + path) == expected

    @pytest.mark.parametrize(
        ("path", "why"),
        [
            pytest.param("/round", "{url}/round redirects in a circle: {url}/round comes again", id="circle"),
            pytest.param("/step1", "{url}/step1 redirects more than 10 times", id="too-many"),
            pytest.param(
                "/away",
                "{url}/away redirects to http://elsewhere.example/?…, another host (--redirects any-host follows it)",
                id="other-host",
            ),
            pytest.param(
                "/odd",
                "{url}/odd redirects to what is not a URL: a URL begins with http:// or https://",
                id="no-url",
            ),
            pytest.param("/nowhere", "{url}/nowhere answered 302 in T; expected 200-299", id="no-location"),
        ],
    )
    def test_is_followed_only_so_far(self, web: Http, path: str, why: str) -> None:
        assert line_of("http", web.url + path, "--redirects", "same-host") == "FAIL - " + why.format(url=web.url)

    @pytest.mark.parametrize(
        ("path", "method", "body"),
        [
            pytest.param("/other", "GET", b"", id="303-becomes-a-get"),
            pytest.param("/moved", "GET", b"", id="301-becomes-a-get"),
            pytest.param("/again", "POST", b"data", id="307-stays-a-post"),
        ],
    )
    def test_asks_again_as_the_status_says(self, web: Http, path: str, method: str, body: bytes) -> None:
        verdict_of("http", web.url + path, "--body", "data", "--redirects", "same-host")
        assert (web.requests[-1].method, web.requests[-1].body) == (method, body)

    def test_secrets_are_not_told_to_another_origin(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text("s3cret")
        with Http({"/": Route(b"hello")}) as other:
            routes = {"/": Route(status=302, headers={"Location": f"{other.url}/"})}
            with Http(routes) as web:
                words = ("--redirects", "any-host", "--bearer-file", file, "--header", "X-Plain: 1")
                assert line_of("http", f"{web.url}/", *words).startswith("PASS")
        assert web.requests[-1].headers["Authorization"] == "Bearer s3cret"
        assert "Authorization" not in other.requests[-1].headers
        assert other.requests[-1].headers["X-Plain"] == "1"

    def test_never_leads_out_of_tls(self) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        routes = {"/": Route(status=302, headers={"Location": "http://127.0.0.1/"})}
        with Http(routes, context=context) as web:
            line = line_of("http", f"{web.url}/", "--no-verify", "--redirects", "any-host")
        expected = f"{web.url}/ redirects to http://127.0.0.1/, out of TLS, which is never followed"
        assert line == f"FAIL - {expected}"


class TestBrokenServer:
    @pytest.mark.parametrize(
        ("server", "why"),
        [
            pytest.param(servers.Refusing, "{} refused the connection", id="refuses"),
            pytest.param(servers.HangsUpWhenSpokenTo, "{} closed the connection without an answer", id="hangs-up"),
            pytest.param(servers.Resets, "{} reset the connection", id="resets"),
            pytest.param(
                servers.TruncatedBody,
                "{} gave no proper HTTP answer: peer closed connection without sending complete message body "
                "(received 5 bytes, expected 100)",
                id="truncated-body",
            ),
            pytest.param(
                servers.TruncatedChunks,
                "{} gave no proper HTTP answer: peer closed connection without sending complete message body "
                "(incomplete chunked read)",
                id="truncated-chunks",
            ),
            pytest.param(
                servers.OldHttp,
                "{} does not speak HTTP: it said '<html>hello</html>'",
                id="http-0.9",
            ),
            pytest.param(
                servers.Mail,
                "{} does not speak HTTP: it said '220 mail.example ESMTP'",
                id="another-protocol",
            ),
            pytest.param(
                servers.TwoContentLengths,
                "{} gave no proper HTTP answer: conflicting Content-Length headers",
                id="two-lengths",
            ),
            pytest.param(
                servers.EndlessHeaders, "{} gave no proper HTTP answer: its header is too long", id="endless-headers"
            ),
            pytest.param(servers.Silent, "http://{}/ gave no full answer within 1 s (first byte)", id="says-nothing"),
            pytest.param(servers.DrippingHttp, "http://{}/ gave no full answer within 1 s (transfer)", id="drips"),
            pytest.param(
                servers.StallsMidBody, "http://{}/ gave no full answer within 1 s (transfer)", id="stalls-mid-body"
            ),
            pytest.param(servers.NeverAccepts, "{} did not accept the connection within 1 s", id="never-accepts"),
        ],
    )
    def test_fails_with_what_it_did(self, server: type[servers.Server], why: str) -> None:
        with patient(server) as broken:
            address = f"127.0.0.1:{broken.port}"
            line = line_of("http", f"http://{address}/", timeout=1)
        assert line == "FAIL - " + why.format(address)

    def test_reset_in_the_middle_of_the_body_fails(self) -> None:
        with patient(servers.ResetsMidBody) as broken:
            address = f"127.0.0.1:{broken.port}"
            line = line_of("http", f"http://{address}/")
        # Whether the end or the reset is seen depends on which has arrived when the body's beginning is read.
        ends = ("reset the connection", "closed the connection in the middle of an answer")
        assert line in [f"FAIL - {address} {end}" for end in ends]

    @pytest.mark.parametrize("server", [servers.EndlessBody, servers.EndlessChunks, servers.GzipBomb])
    def test_body_is_read_to_the_limit_and_no_further(self, server: type[servers.Server]) -> None:
        with patient(server) as broken:
            verdict = verdict_of("http", f"http://127.0.0.1:{broken.port}/", timeout=20)
        assert repr(verdict).startswith(f"PASS - http://127.0.0.1:{broken.port}/ answered 200 in ")
        assert verdict.measured["body_bytes"] == 65536

    def test_name_that_does_not_resolve_is_unknown(self) -> None:
        name = "x" * 64  # too long to ask a name server for: the answer would depend on the machine's
        assert line_of("http", f"http://{name}/").startswith(f"UNKNOWN - {name} does not resolve: ")

    def test_answer_before_the_body_was_sent_counts(self) -> None:
        ended = threading.Event()

        def refuse_early(connection: socket.socket, _: Talker) -> None:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            ended.wait(20)

        with talking(refuse_early) as talker:
            url = f"http://{talker.address}/"
            line = line_of("http", url, "--body", "x" * 100_000, "--status", "413")
            ended.set()
        assert line.startswith(f"PASS - {url} answered")

    def test_informational_answers_are_passed_over(self) -> None:
        def hint_first(connection: socket.socket, _: Talker) -> None:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        with talking(hint_first) as talker:
            assert line_of("http", f"http://{talker.address}/") == f"PASS - http://{talker.address}/ answered 200 in T"

    def test_regular_expression_that_never_ends_is_ended(self, web: Http) -> None:
        words = ("--body-matches", r"(x+x+)+y", "--timeout", "1")
        run = measured(sys.executable, "-m", "hachecks", "http", f"{web.url}/large", *words)
        assert (run.code, run.err) == (1, "")
        if run.out or run.starved < WITHOUT_LINE_AFTER - WITH_LINE_AFTER:
            assert run.out == f"FAIL - {web.url}/large was not judged within 1 s\n"


class TestProxy:
    def test_plain_http_is_asked_of_the_proxy(self) -> None:
        with Http({"http://app.example:81/path?q": Route(b"hello")}) as proxy:
            line = line_of("http", "http://app.example:81/path?q", "--proxy", proxy.url)
        assert line == "PASS - http://app.example:81/path?… answered 200 in T"
        assert proxy.requests[-1].headers["Host"] == "app.example:81"

    def test_logs_in_to_the_proxy(self, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text("user:pass")
        with Http({"http://app.example/": Route(b"hello")}) as proxy:
            verdict_of("http", "http://app.example/", "--proxy", proxy.url, "--proxy-basic-file", file)
        assert proxy.requests[-1].headers["Proxy-Authorization"] == "Basic dXNlcjpwYXNz"

    def test_https_is_tunneled_and_a_refusal_fails(self) -> None:
        def refuse(connection: socket.socket, talker: Talker) -> None:
            talker.heard.append(connection.recv(1000))
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        with talking(refuse) as proxy:
            line = line_of("http", "https://app.example/", "--proxy", f"http://{proxy.address}")
        assert line == f"FAIL - the proxy {proxy.address} answered 407 to CONNECT app.example:443"
        assert proxy.heard == [b"CONNECT app.example:443 HTTP/1.1\r\nHost: app.example:443\r\n\r\n"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param(
            ("http://user:s3cret@h/",),
            "Invalid value for 'URL': a URL takes no user and password; put USER:PASSWORD in a file and give "
            "--basic-file FILE",
            id="password-in-url",
        ),
        pytest.param(
            ("http://h/", "--header", "Authorization: s3cret"),
            "Invalid value for '--header': Authorization on the command line can be read by everybody on the node; use "
            "--bearer-file, --basic-file or --header-file",
            id="authorization",
        ),
        pytest.param(
            ("http://h/", "--header", "cookie: s3cret"),
            "Invalid value for '--header': cookie on the command line can be read by everybody on the node; use "
            "--header-file",
            id="cookie",
        ),
        pytest.param(
            ("http://h/", "--bearer", "s3cret"),
            "Invalid value for '--bearer': a secret on the command line can be read by everybody on the node; use "
            "--bearer-file or the variable HACHECK_HTTP_BEARER",
            id="bearer",
        ),
        pytest.param(
            ("http://h/", "--proxy", "http://u:s3cret@p:1"),
            "Invalid value for '--proxy': a proxy takes no user and password here; put them in a file: "
            "--proxy-basic-file FILE",
            id="password-in-proxy",
        ),
    ],
)
def test_secret_on_the_command_line_is_refused_and_not_repeated(words: tuple[str, ...], why: str) -> None:
    answer = hacheck("http", *words)
    assert answer.err == f"hacheck: http: {why} (see hacheck http --help)\n"
    assert (answer.code, answer.out) == (2, "")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param(("h/",), "Invalid value for 'URL': a URL begins with http:// or https://", id="no-scheme"),
        pytest.param(
            ("http://h/", "--status", "OK"),
            "Invalid value for '--status': 'OK' is not a list of status codes (write 2xx,401 or 200-299,401)",
            id="status",
        ),
        pytest.param(
            ("http://h/", "--body-matches", "("),
            "Invalid value for '--body-matches': '(' is not a regular expression: missing ), unterminated subpattern "
            "at position 0",
            id="regex",
        ),
        pytest.param(
            ("http://h/", "--json", "status"),
            "Invalid value for '--json': 'status' is not a condition: expected a path, such as .status",
            id="condition",
        ),
        pytest.param(
            ("http://h/", "--max-phase", "dns=1s"),
            "Invalid value for '--max-phase': 'dns=1s' is not PHASE=DURATION, with PHASE one of resolve, connect, tls, "
            "first-byte, transfer",
            id="phase",
        ),
        pytest.param(
            ("http://h/", "--header", "Content-Length: 5"),
            "Invalid value for '--header': Content-Length is what the body makes it; drop the header",
            id="framing",
        ),
    ],
)
def test_what_cannot_be_understood_is_a_usage_error(words: tuple[str, ...], why: str) -> None:
    answer = hacheck("http", *words)
    assert answer.err == f"hacheck: http: {why} (see hacheck http --help)\n"
    assert (answer.code, answer.out) == (2, "")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param(("http://h/", "--ca-file", "f"), "--ca-file needs TLS (an https:// URL)", id="tls"),
        pytest.param(("http://h/", "--method", "G T"), "'G T' is not an HTTP method", id="method"),
        pytest.param(
            ("http://h/", "--body", "x", "--body-file", "f"), "--body and --body-file exclude each other", id="bodies"
        ),
        pytest.param(
            ("http://h/", "--basic-file", "f", "--bearer-file", "f"),
            "--basic-file and --bearer-file exclude each other",
            id="logins",
        ),
        pytest.param(
            ("http://h/", "--proxy", "http://p", "--connect-to", "x"),
            "--proxy and --connect-to exclude each other",
            id="proxy-and-connect-to",
        ),
        pytest.param(("http://h/", "--proxy-basic-file", "f"), "--proxy-basic-file needs --proxy", id="no-proxy"),
        pytest.param(
            ("http://h/", "--proxy", "http://p", "--http2"), "--http2 through a proxy needs an https:// URL", id="h2c"
        ),
    ],
)
def test_what_contradicts_itself_is_a_usage_error(words: tuple[str, ...], why: str) -> None:
    answer = hacheck("http", *words)
    assert answer.err == f"hacheck: http: {why}\n"
    assert (answer.code, answer.out) == (2, "")
