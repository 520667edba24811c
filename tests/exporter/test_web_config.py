from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hachecks.exporter.web_config.ciphers import SUITES
from hachecks.exporter.web_config.config import WebConfig
from hachecks.exporter.web_config.rate import Rate
from hachecks.settings import Invalid
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def hashed(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


ALICE = hashed("wonderland")
TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
USERS = f"basic_auth_users:\n  alice: {ALICE}\n"
CLIENTS = TLS + "  client_ca_file: clients.pem\n  client_auth_type: {}\n"


class Server:
    """An aiohttp server as the exporter's is, with a WebConfig, in a thread of its own."""

    def __init__(self, config: WebConfig) -> None:
        self.config = config
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    async def _answer(self, request: web.Request) -> web.Response:
        if not self.config.allows():
            return web.Response(status=429)
        if not await self.config.admits(request.headers.get("Authorization")):
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
        return web.Response(text="up 1\n", headers=self.config.headers)

    def _run(self) -> None:
        app = web.Application()
        app.router.add_get("/metrics", self._answer)
        runner = web.AppRunner(app, access_log=None)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.config.ssl_context())
        self._loop.run_until_complete(site.start())
        self.port: int = runner.addresses[0][1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def __enter__(self) -> Server:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def get(self, context: ssl.SSLContext | None = None, **headers: str) -> http.client.HTTPResponse:
        """The answer to one request on one connection; with a context over TLS, where all must be well."""
        connection: http.client.HTTPConnection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        if context:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics", headers=headers)
            answer = connection.getresponse()
            answer.read()
            return answer

    def status(self, context: ssl.SSLContext | None = None, **headers: str) -> int:
        return self.get(context, **headers).status

    def refuses(self, context: ssl.SSLContext) -> bool:
        """Whether the handshake, or in TLS 1.3 the first answer after it, is refused."""
        try:
            self.status(context)
        except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
            return True
        return False


def program(name: str) -> str:
    """A program of a Debian package that has its name."""
    path = shutil.which(name)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed: apt-get install {name}")
    return str(path)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Place:
    """A directory with a configuration file, a server's certificate and the authorities of it and of clients."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "web.yml"
        self.authority = trustme.CA()
        self.clients = trustme.CA()
        self.certify(self.authority.issue_cert("127.0.0.1"))
        self.clients.cert_pem.write_to_path(str(directory / "clients.pem"))

    def certify(self, certificate: trustme.LeafCert) -> None:
        self.write("server.pem", b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        self.write("server.key", certificate.private_key_pem.bytes())

    def write(self, name: str, data: bytes) -> None:
        new = self.directory / f"{name}.new"
        new.write_bytes(data)
        new.replace(self.directory / name)

    def config(self, text: str) -> WebConfig:
        self.write("web.yml", text.encode())
        return WebConfig.read(str(self.path))

    def client(self, certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        if certificate:
            certificate.configure_cert(context)
        return context

    def complaint(self, text: str) -> str:
        """What is said of a file, without the directory."""
        with pytest.raises(Invalid) as raised:
            self.config(text)
        said = str(raised.value)
        assert "\n" not in said
        assert said.startswith(f"{self.path}: ")
        return said.replace(f"{self.directory}/", "").removeprefix("web.yml: ")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# Plain HTTP


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "tls_server_config:\nbasic_auth_users:\n", "{}"])
def test_a_file_that_says_nothing_means_plain_http_for_everybody(place: Place, text: str) -> None:
    config = place.config(text)
    assert config.ssl_context() is None
    assert config.headers == {}
    with Server(config) as server:
        assert server.status() == 200
        assert server.status(Authorization="Basic of nobody") == 200


def test_headers_are_on_every_answer(place: Place) -> None:
    config = place.config(
        "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    Content-Security-Policy: default-src 'self'\n"
        "    Strict-Transport-Security:\n"
    )
    assert config.headers == {"X-Frame-Options": "deny", "Content-Security-Policy": "default-src 'self'"}
    with Server(config) as server:
        assert server.get().headers["X-Frame-Options"] == "deny"


def test_http2_makes_no_difference_and_says_so(place: Place) -> None:
    assert place.config("http_server_config: {http2: false}").notes == ()
    assert place.config("http_server_config: {http2: true}").notes == (
        f"{place.path}: http_server_config.http2: HTTP/1.1 is served; "
        "clients that offer HTTP/2 agree on it by themselves",
    )


def test_more_requests_than_the_rate_are_told_so(place: Place) -> None:
    with Server(place.config("rate_limit: {interval: 1h, burst: 3}")) as server:
        assert [server.status() for _ in range(5)] == [200, 200, 200, 429, 429]
        place.write("web.yml", b"rate_limit: {interval: 1h, burst: 3}\n# the same\n")
        assert server.config.refresh() is None
        assert server.status() == 429


def test_the_bucket_fills_up_again() -> None:
    rate, now = Rate(interval=2.0, burst=2), time.monotonic()
    assert [rate.take(now) for _ in range(3)] == [True, True, False]
    assert not rate.take(now + 1.9)
    assert rate.take(now + 2.1)
    assert not rate.take(now + 2.2)
    assert [rate.take(now + 100) for _ in range(3)] == [True, True, False], "no more at once, however long it was quiet"


def test_an_interval_of_zero_is_no_limit(place: Place) -> None:
    config = place.config("rate_limit: {interval: 0, burst: 1}")
    assert all(config.allows() for _ in range(100))


# TLS


def test_tls_is_spoken(place: Place) -> None:
    with Server(place.config(TLS)) as server:
        assert server.status(place.client()) == 200
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            server.status()


def test_the_certificate_and_the_key_may_stand_in_the_file(place: Place) -> None:
    def indented(name: str) -> str:
        return "".join(f"    {line}\n" for line in (place.directory / name).read_text().splitlines())

    text = f"tls_server_config:\n  cert: |\n{indented('server.pem')}  key: |\n{indented('server.key')}"
    text += f"  client_ca: |\n{indented('clients.pem')}  client_auth_type: RequireAndVerifyClientCert\n"
    with Server(place.config(text)) as server:
        assert server.status(place.client(place.clients.issue_cert("prometheus"))) == 200
        assert server.refuses(place.client())


def test_curl_agrees(place: Place) -> None:
    curl = program("curl")
    place.authority.cert_pem.write_to_path(str(place.directory / "authority.pem"))
    with Server(place.config(TLS + USERS)) as server:
        url = f"https://127.0.0.1:{server.port}/metrics"
        words = [curl, "-q", "-sS", "--noproxy", "*", "--cacert", str(place.directory / "authority.pem"), url]
        said = subprocess.run([*words, "-u", "alice:wonderland"], capture_output=True, check=False, timeout=20)
        assert said.stdout == b"up 1\n"
        code = subprocess.run(
            [*words, "-o", "/dev/null", "-w", "%{http_code}"], capture_output=True, check=False, timeout=20
        )
        assert code.stdout == b"401"


def test_a_required_client_certificate_is_required_and_verified(place: Place) -> None:
    with Server(place.config(CLIENTS.format("RequireAndVerifyClientCert"))) as server:
        assert server.status(place.client(place.clients.issue_cert("prometheus"))) == 200
        assert server.refuses(place.client())
        assert server.refuses(place.client(trustme.CA().issue_cert("prometheus")))


def test_a_certificate_that_is_verified_if_given_may_be_missing_and_not_wrong(place: Place) -> None:
    with Server(place.config(CLIENTS.format("VerifyClientCertIfGiven"))) as server:
        assert server.status(place.client(place.clients.issue_cert("prometheus"))) == 200
        assert server.status(place.client()) == 200
        assert server.refuses(place.client(trustme.CA().issue_cert("prometheus")))


def test_an_intermediate_authority_is_enough(place: Place) -> None:
    between = place.clients.create_child_ca()
    between.cert_pem.write_to_path(str(place.directory / "clients.pem"))
    with Server(place.config(CLIENTS.format("RequireAndVerifyClientCert"))) as server:
        assert server.status(place.client(between.issue_cert("prometheus"))) == 200


@pytest.mark.parametrize("name", ["prometheus", "192.0.2.7", "2001:db8::7", "ops@example.org"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_name_of_a_client_is_one_of_those_allowed(place: Place, name: str, version: ssl.TLSVersion) -> None:
    text = CLIENTS.format("RequireAndVerifyClientCert") + f"  client_allowed_sans: ['other', '{name}']\n"
    with Server(place.config(text)) as server:
        for names, welcome in (((name,), True), (("stranger", name), True), (("stranger",), False)):
            client = place.client(place.clients.issue_cert(*names))
            client.maximum_version = version
            assert server.refuses(client) is not welcome
        nameless = place.client(place.clients.issue_cert(common_name=name))
        assert server.refuses(nameless)


def test_older_versions_are_refused(place: Place) -> None:
    old, new = place.client(), place.client()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    new.minimum_version = ssl.TLSVersion.TLSv1_3
    with Server(place.config(TLS + "  min_version: TLS13\n")) as server:
        assert server.status(new) == 200
        assert server.refuses(old)
    with Server(place.config(TLS + "  max_version: TLS12\n")) as server:
        assert server.status(old) == 200
        assert server.refuses(new)


def spoken(server: Server, context: ssl.SSLContext) -> str:
    """The cipher suite that is agreed on."""
    plain = socket.create_connection(("127.0.0.1", server.port), 10)
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as sock:
        return str((sock.cipher() or ("",))[0])


def test_the_suites_are_those_listed_in_the_servers_order_or_the_clients(place: Place) -> None:
    first, second = "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"
    listed = "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n"
    client = place.client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(f"{second}:{first}")
    with Server(place.config(TLS + listed)) as server:
        assert spoken(server, client) == first
        client.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
        assert server.refuses(client)
    client.set_ciphers(f"{second}:{first}")
    with Server(place.config(TLS + listed + "  prefer_server_cipher_suites: false\n")) as server:
        assert spoken(server, client) == second


def test_suites_of_tls_1_3_alone_leave_no_older_version(place: Place) -> None:
    old = place.client()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with Server(place.config(TLS + "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n")) as server:
        assert server.refuses(old)
        assert server.status(place.client()) == 200


def test_openssl_has_all_suites_that_go_calls_secure(place: Place) -> None:
    assert place.config(TLS + f"  cipher_suites: [{', '.join(SUITES)}]\n").ssl_context()


def test_one_curve_may_be_named(place: Place) -> None:
    with Server(place.config(TLS + "  curve_preferences: [CurveP384]\n")) as server:
        client = place.client()
        client.set_ecdh_curve("secp384r1")
        assert server.status(client) == 200
        client.set_ecdh_curve("prime256v1")
        assert server.refuses(client)


# Users


def test_only_a_user_with_the_right_password_is_admitted(place: Place) -> None:
    with Server(place.config(USERS)) as server:
        assert server.status(Authorization=basic("alice", "wonderland")) == 200
        assert server.status(Authorization=basic("alice", "wonderland")) == 200
        for wrong in (basic("alice", "Wonderland"), basic("alice", ""), basic("bob", "wonderland"), basic("", "")):
            assert server.status(Authorization=wrong) == 401
        answer = server.get()
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Basic"


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="empty"),
        pytest.param("Basic", id="no-token"),
        pytest.param("Basic " + base64.b64encode(b"alice").decode(), id="no-colon"),
        pytest.param("Basic " + base64.b64encode(b"alicewonderland").decode(), id="no-colon-either"),
        pytest.param("Basic @@@@", id="no-base64"),
        pytest.param(basic("alice", "wonderland")[:-1], id="torn-base64"),
        pytest.param(basic("alice", "wonderland").replace("Y", "Y\u00fc"), id="not-ascii"),
        pytest.param("Basic \udcff\udcfe", id="not-utf-8"),
        pytest.param("Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(), id="not-utf-8-within"),
        pytest.param("Basic " + base64.b64encode(b"alice:wonderland\0").decode(), id="a-zero-byte"),
        pytest.param("Basic " + base64.b64encode(b"alice:\0").decode(), id="only-a-zero-byte"),
        pytest.param("Basic " + base64.b64encode(b"alice\0:wonderland").decode(), id="a-zero-byte-in-the-name"),
        pytest.param("Bearer " + basic("alice", "wonderland")[6:], id="another-scheme"),
        pytest.param(basic("alice", "x" * 100_000), id="long"),
        pytest.param(f"{basic('alice', 'wonderland')}, {basic('bob', 'x')}", id="two"),
    ],
)
def test_what_is_no_right_password_admits_nobody(place: Place, header: str) -> None:
    assert asyncio.run(place.config(USERS).admits(header)) is False


def test_raw_bytes_on_the_wire_are_answered(place: Place) -> None:
    with Server(place.config(USERS)) as server, socket.create_connection(("127.0.0.1", server.port), 10) as sock:
        sock.sendall(
            b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xff\xfe\x80\r\nConnection: close\r\n\r\n"
        )
        assert sock.recv(100).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_the_scheme_may_be_written_in_any_case(place: Place, scheme: str) -> None:
    header = basic("alice", "wonderland").replace("Basic", scheme)
    assert asyncio.run(place.config(USERS).admits(header))


@pytest.mark.parametrize("minor", ["2a", "2b", "2y"])
def test_every_kind_of_bcrypt_hash_is_taken(place: Place, minor: str) -> None:
    config = place.config(f"basic_auth_users: {{alice: {ALICE.replace('2b', minor, 1)}}}")
    assert asyncio.run(config.admits(basic("alice", "wonderland")))
    assert not asyncio.run(config.admits(basic("alice", "w")))


def test_a_long_password_counts_as_far_as_bcrypt_looks(place: Place) -> None:
    config = place.config(f"basic_auth_users: {{alice: {hashed('x' * 72)}}}")  # as htpasswd makes it of any longer one
    assert asyncio.run(config.admits(basic("alice", "x" * 90)))
    assert not asyncio.run(config.admits(basic("alice", "x" * 71)))


def test_names_are_texts_however_they_look(place: Place) -> None:
    config = place.config(f"basic_auth_users: {{no: {ALICE}, 007: {ALICE}, jürgen: {ALICE}}}")
    for name in ("no", "007", "jürgen"):
        assert asyncio.run(config.admits(basic(name, "wonderland")))
    assert not asyncio.run(config.admits(basic("7", "wonderland")))


def computed(config: WebConfig) -> int:
    """How often bcrypt has been asked."""
    assert config._content.users
    return config._content.users.computed


def test_a_verified_password_is_not_computed_again(place: Place) -> None:
    config = place.config(USERS)
    for _ in range(20):
        assert asyncio.run(config.admits(basic("alice", "wonderland")))
    assert computed(config) == 1


def test_an_unknown_user_costs_as_much_as_a_known_one(place: Place) -> None:
    config = place.config(USERS)
    for count, name in enumerate(("alice", "alice", "bob", "bob", "nobody", "", "alice "), 1):
        assert not asyncio.run(config.admits(basic(name, "wrong")))
        assert computed(config) == count


def test_an_unknown_user_takes_the_time_of_some_user_and_always_the_same(place: Place) -> None:
    cheap, dear = hashed("x", 4), hashed("x", 5)
    users = place.config(f"basic_auth_users: {{alice: {cheap}, bob: {dear}}}")._content.users
    assert users
    assert (users.hash_for(b"alice"), users.hash_for(b"bob")) == (cheap.encode(), dear.encode())
    chosen = [users.hash_for(b"user%d" % n) for n in range(100)]
    assert set(chosen) == {cheap.encode(), dear.encode()}
    assert chosen == [users.hash_for(b"user%d" % n) for n in range(100)]


def test_an_unknown_user_is_not_let_in_by_the_hash_that_stands_in(place: Place) -> None:
    config = place.config(USERS)
    assert not any(asyncio.run(config.admits(basic(f"user{n}", "wonderland"))) for n in range(10))


@pytest.mark.serial
def test_requests_at_once_are_answered_while_bcrypt_computes(place: Place) -> None:
    config = place.config(f"basic_auth_users: {{alice: {hashed('wonderland', 11)}}}")

    async def longest_stall() -> float:
        request = asyncio.gather(*(config.admits(basic("alice", f"wrong{n}")) for n in range(5)))
        longest = 0.0
        while not request.done():
            before = time.monotonic()
            await asyncio.sleep(0)
            longest = max(longest, time.monotonic() - before)
        assert await request == [False] * 5
        return longest

    began = time.monotonic()
    stalled = asyncio.run(longest_stall())
    assert stalled < (time.monotonic() - began) / 3


# Change


def serial(server: Server, place: Place) -> str:
    plain = socket.create_connection(("127.0.0.1", server.port), 10)
    with place.client().wrap_socket(plain, server_hostname="127.0.0.1") as sock:
        return str((sock.getpeercert() or {})["serialNumber"])


@pytest.mark.parametrize("kind", [trustme.KeyType.ECDSA, trustme.KeyType.RSA])
def test_a_new_certificate_is_shown_without_a_restart(place: Place, kind: trustme.KeyType) -> None:
    with Server(place.config(TLS)) as server:
        before = serial(server, place)
        context = server.config.ssl_context()
        place.certify(place.authority.issue_cert("127.0.0.1", key_type=kind))
        assert server.config.refresh() is None
        assert server.config.ssl_context() is context
        after = {serial(server, place) for _ in range(3)}
        assert len(after) == 1
        assert before not in after


def test_an_authority_that_was_taken_out_is_trusted_no_more(place: Place) -> None:
    with Server(place.config(CLIENTS.format("RequireAndVerifyClientCert"))) as server:
        client = place.client(place.clients.issue_cert("prometheus"))
        assert server.status(client) == 200
        heir = trustme.CA()
        place.write("clients.pem", heir.cert_pem.bytes())
        assert server.config.refresh() is None
        assert server.refuses(client)
        assert server.status(place.client(heir.issue_cert("prometheus"))) == 200


def test_a_new_policy_is_in_force_without_a_restart(place: Place) -> None:
    with Server(place.config(TLS)) as server:
        assert server.status(place.client()) == 200
        place.write("web.yml", CLIENTS.format("RequireAndVerifyClientCert").encode())
        assert server.config.refresh() is None
        assert server.refuses(place.client())


def test_users_change_without_a_restart(place: Place) -> None:
    with Server(place.config(USERS)) as server:
        assert server.status(Authorization=basic("alice", "wonderland")) == 200
        place.write("web.yml", f"basic_auth_users: {{bob: {hashed('builder')}}}".encode())
        assert server.config.refresh() is None
        assert server.status(Authorization=basic("alice", "wonderland")) == 401
        assert server.status(Authorization=basic("bob", "builder")) == 200


def test_a_changed_password_ends_the_former_one(place: Place) -> None:
    config = place.config(USERS)
    assert asyncio.run(config.admits(basic("alice", "wonderland")))
    place.write("web.yml", f"basic_auth_users: {{alice: {hashed('looking-glass')}}}".encode())
    assert config.refresh() is None
    assert not asyncio.run(config.admits(basic("alice", "wonderland")))


def test_who_was_verified_stays_so_while_the_users_are_the_same(place: Place) -> None:
    config = place.config(USERS)
    assert not asyncio.run(config.admits(basic("alice", "wrong")))
    assert asyncio.run(config.admits(basic("alice", "wonderland")))
    place.write("web.yml", f"# a comment\n{USERS}".encode())
    assert config.refresh() is None
    assert asyncio.run(config.admits(basic("alice", "wonderland")))
    assert computed(config) == 2


def test_a_broken_file_leaves_the_former_in_force_and_says_so(place: Place) -> None:
    with Server(place.config(TLS + USERS)) as server:
        place.write("web.yml", b"basic_auth_user:\n")
        trouble = (
            f"{place.path}: unknown key basic_auth_user; did you mean basic_auth_users?; "
            "what was read before stays in force"
        )
        assert server.config.refresh() == trouble
        assert server.config.refresh() == trouble
        assert server.status(place.client(), Authorization=basic("alice", "wonderland")) == 200
        assert server.status(place.client()) == 401
        place.write("web.yml", TLS.encode())
        assert server.config.refresh() is None
        assert server.status(place.client()) == 200


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        pytest.param(lambda place: place.path.unlink(), "No such file or directory", id="no-file"),
        pytest.param(lambda place: (place.directory / "server.key").unlink(), "server.key No such file", id="no-key"),
        pytest.param(lambda place: place.write("server.pem", b"torn"), "OpenSSL cannot use it", id="torn"),
        pytest.param(
            lambda place: place.write("server.key", trustme.CA().issue_cert("x").private_key_pem.bytes()),
            "is not the key of cert_file",
            id="half-renewed",
        ),
        pytest.param(lambda place: place.write("web.yml", b""), "TLS goes off at a start only", id="tls-off"),
    ],
)
def test_what_cannot_be_read_leaves_the_former_in_force(place: Place, harm: Callable[[Place], Any], said: str) -> None:
    with Server(place.config(TLS)) as server:
        before = serial(server, place)
        harm(place)
        trouble = server.config.refresh()
        assert trouble
        assert said in trouble
        assert "\n" not in trouble
        assert serial(server, place) == before
        place.certify(place.authority.issue_cert("127.0.0.1"))
        place.write("web.yml", TLS.encode())
        assert server.config.refresh() is None
        assert serial(server, place) != before


def test_tls_is_not_turned_on_under_a_running_server(place: Place) -> None:
    with Server(place.config("")) as server:
        place.write("web.yml", (TLS + USERS).encode())
        assert "TLS goes on at a start only; restart the exporter" in (server.config.refresh() or "")
        assert server.status() == 200


def test_a_file_that_changes_again_at_once_is_read_again(place: Place) -> None:
    config = place.config("http_server_config: {headers: {X-Frame-Options: deny}}\n#########")
    status = place.path.stat()
    place.path.write_text("http_server_config: {headers: {X-Frame-Options: sameorigin}}\n###")
    os.utime(place.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert place.path.stat().st_size == status.st_size
    assert config.refresh() is None
    assert config.headers == {"X-Frame-Options": "sameorigin"}


@pytest.mark.serial
def test_what_has_not_changed_is_not_read(place: Place) -> None:
    place.write("web.yml", TLS.encode())
    for name in ("web.yml", "server.pem", "server.key"):
        os.utime(place.directory / name, (1, 1))
    config = WebConfig.read(str(place.path))
    content = config._content
    assert config.refresh() is None
    assert config._content is content
    began = time.perf_counter()
    for _ in range(100):
        config.refresh()
    assert (time.perf_counter() - began) / 100 < 0.001


# What is refused


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tls_server_confg: {}", "unknown key tls_server_confg; did you mean tls_server_config?"),
        ("oauth: {}", "unknown key oauth"),
        ("[]x", "line 1: expected '<document start>', but found '<scalar>'"),
        ("- a", "takes a mapping of tls_server_config, http_server_config, basic_auth_users, rate_limit"),
        ("a: b: c", "line 1: mapping values are not allowed here"),
        ("a: '\\ud800\x01'", "this is no YAML in UTF-8"),
        ("[" * 5000, "it is nested too deeply"),
        ("tls_server_config: yes", "tls_server_config: takes a mapping: indent what belongs to it"),
        (TLS + "  certfile: x", "tls_server_config: unknown key certfile; did you mean cert_file?"),
        (
            "tls_server_config: {min_version: TLS12}",
            "tls_server_config.cert_file: is missing or empty; name a PEM file, or write cert with the PEM itself",
        ),
        (
            "tls_server_config: {cert_file: server.pem}",
            "tls_server_config.key_file: is missing or empty; name a PEM file, or write key with the PEM itself",
        ),
        (
            "tls_server_config: {cert_file: nowhere.pem, key_file: server.key}",
            "tls_server_config.cert_file: nowhere.pem No such file or directory; name a file that this user may read",
        ),
        (
            "tls_server_config: {cert_file: server.key, key_file: server.key}",
            "tls_server_config.cert_file: OpenSSL cannot use it with key_file; both are to be PEM",
        ),
        (
            "tls_server_config: {cert_file: clients.pem, key_file: server.key}",
            "tls_server_config.key_file: is not the key of cert_file; write both",
        ),
        (
            "tls_server_config: {cert_file: server.pem, key_file: encrypted.key}",
            "tls_server_config.key_file: the key is encrypted and nobody is there to ask; decrypt it",
        ),
        (TLS + "  cert: x", "tls_server_config.cert: stands beside cert_file; leave one out"),
        (TLS + "  cert: [x]", "tls_server_config.cert: takes one value"),
        (
            TLS + "  min_version: TLS10",
            "tls_server_config.min_version: TLS10 is broken and OpenSSL speaks it no more; write TLS12 or TLS13",
        ),
        (TLS + "  min_version: TLSv1.2", "tls_server_config.min_version: 'TLSv1.2' is none of TLS12, TLS13"),
        (
            TLS + "  min_version: TLS13\n  max_version: TLS12",
            "tls_server_config.min_version: nothing is left up to max_version; raise max_version",
        ),
        (
            TLS + "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n  max_version: TLS12",
            "tls_server_config.min_version: nothing is left up to max_version; raise max_version",
        ),
        (
            TLS + "  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]",
            "tls_server_config.cipher_suites: TLS_RSA_WITH_AES_128_CBC_SHA is none of those that Go calls secure; "
            "did you mean TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA?",
        ),
        (TLS + "  cipher_suites: TLS_X", "tls_server_config.cipher_suites: takes a list: write - before each"),
        (
            TLS + "  prefer_server_cipher_suites: maybe",
            "tls_server_config.prefer_server_cipher_suites: 'maybe' is neither true nor false",
        ),
        (
            TLS + "  curve_preferences: [X448]",
            "tls_server_config.curve_preferences: X448 is none of CurveP256, CurveP384, CurveP521, X25519",
        ),
        (
            TLS + "  curve_preferences: [X25519, CurveP256]",
            "tls_server_config.curve_preferences: Python's ssl takes one curve only; name one, or none for all",
        ),
        (
            CLIENTS.format("RequireAnyClientCert"),
            "tls_server_config.client_auth_type: RequireAnyClientCert takes certificates of anybody, "
            "which Python's ssl cannot; write RequireAndVerifyClientCert",
        ),
        (
            CLIENTS.format("RequestClientCert"),
            "tls_server_config.client_auth_type: RequestClientCert takes certificates of anybody, "
            "which Python's ssl cannot; write RequireAndVerifyClientCert",
        ),
        (
            CLIENTS.format("requireandverify"),
            "tls_server_config.client_auth_type: 'requireandverify' is none of "
            "NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert",
        ),
        (
            TLS + "  client_auth_type: RequireAndVerifyClientCert",
            "tls_server_config.client_ca_file: is missing or empty, and RequireAndVerifyClientCert needs it",
        ),
        (
            TLS + "  client_ca_file: clients.pem",
            "tls_server_config.client_ca_file: needs client_auth_type: RequireAndVerifyClientCert",
        ),
        (
            TLS + "  client_ca_file: server.key\n  client_auth_type: RequireAndVerifyClientCert",
            "tls_server_config.client_ca_file: has no certificate that OpenSSL can read; it is to be PEM",
        ),
        (
            CLIENTS.format("VerifyClientCertIfGiven") + "  client_allowed_sans: [x]",
            "tls_server_config.client_allowed_sans: needs client_auth_type: RequireAndVerifyClientCert",
        ),
        ("http_server_config: {http3: true}", "http_server_config: unknown key http3; did you mean http2?"),
        ("http_server_config: {http2: perhaps}", "http_server_config.http2: 'perhaps' is neither true nor false"),
        (
            "http_server_config: {headers: {X-Frame-Option: deny}}",
            "http_server_config.headers.X-Frame-Option: cannot be set; did you mean X-Frame-Options?",
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: never}}",
            "http_server_config.headers.X-Frame-Options: 'never' is none of deny, sameorigin",
        ),
        (
            'http_server_config: {headers: {Content-Security-Policy: "a\\nSet-Cookie: b"}}',
            "http_server_config.headers.Content-Security-Policy: takes one line of ASCII",
        ),
        (
            "basic_auth_users: {alice: wonderland}",
            "basic_auth_users.alice: is no bcrypt hash ($2y$10$…); make one with htpasswd -nBC 10 NAME",
        ),
        (
            f"basic_auth_users: {{alice: $2b$04${'x' * 53}}}",
            "basic_auth_users.alice: is no bcrypt hash ($2y$10$…); make one with htpasswd -nBC 10 NAME",
        ),
        (
            "basic_auth_users: {'a:b': x}",
            "basic_auth_users.a:b: a name with a colon can never log in; leave it out",
        ),
        pytest.param(f"{USERS}  bob: {ALICE}\n  alice: {ALICE}", "line 2: alice stands there twice", id="twice"),
        ("rate_limit: {interval: 1}", "rate_limit.interval: '1' is no duration; write 1s or 500ms, or 0 for no limit"),
        ("rate_limit: {interval: s}", "rate_limit.interval: 's' is no duration; write 1s or 500ms, or 0 for no limit"),
        ("rate_limit: {interval: 1m30s, burst: 1.5}", "rate_limit.burst: '1.5' is not a whole number"),
        ("rate_limit: {interval: 1s}", "rate_limit.burst: no request would ever be answered; write 1 or more"),
        ("rate_limit: {intervall: 1s}", "rate_limit: unknown key intervall; did you mean interval?"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_honoured_is_refused_in_one_line(place: Place, text: str, said: str) -> None:
    key = load_pem_private_key((place.directory / "server.key").read_bytes(), None)
    form = serialization.PrivateFormat.PKCS8
    encryption = serialization.BestAvailableEncryption(b"secret")
    place.write("encrypted.key", key.private_bytes(serialization.Encoding.PEM, form, encryption))
    assert place.complaint(text) == said


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"web.yml: No such file or directory; name a file that this user may read"):
        WebConfig.read(str(tmp_path / "web.yml"))


def test_no_complaint_tells_a_secret(place: Place) -> None:
    for text in ("basic_auth_users: {alice: hunter2}", "basic_auth_users: {alice: [hunter2]}", TLS + "  key: hunter2"):
        assert "hunter2" not in place.complaint(text)


# The same file for node_exporter


@contextmanager
def node_exporter(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    path = program("prometheus-node-exporter")
    address = f"127.0.0.1:{free_port()}"
    words = ["--collector.disable-defaults", f"--web.listen-address={address}", f"--web.config.file={place.path}"]
    with (place.directory / "log").open("wb") as log:
        process = subprocess.Popen([path, *words], stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def node_exporter_accepts(place: Place) -> bool:
    """Whether a node_exporter starts with the file, which it says it does just before it serves."""
    with node_exporter(place) as process:
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            if "TLS is " in (place.directory / "log").read_text():
                return True
            if process.poll() is not None:
                return False
            time.sleep(0.01)
    raise AssertionError((place.directory / "log").read_text())


SAME = {
    "empty": ("", True),
    "users": (USERS, True),
    "tls": (TLS, True),
    "all": (CLIENTS.format("RequireAndVerifyClientCert") + "  min_version: TLS13\n" + USERS, True),
    "if-given": (CLIENTS.format("VerifyClientCertIfGiven"), True),
    "sections-with-nothing": ("tls_server_config:\nhttp_server_config:\n", True),
    "suites": (TLS + "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]\n", True),
    "every-suite": (TLS + f"  cipher_suites: [{', '.join(SUITES)}]\n", True),
    "curve": (TLS + "  curve_preferences: [CurveP256]\n  prefer_server_cipher_suites: false\n", True),
    "headers": ("http_server_config: {http2: false, headers: {X-Frame-Options: deny}}", True),
    "odd-names": (f"basic_auth_users: {{no: {ALICE}, 007: {ALICE}}}", True),
    "unknown-key": ("tls_server_confg: {}", False),
    "unknown-tls-key": (TLS + "  certfile: x\n", False),
    "no-key": ("tls_server_config: {cert_file: server.pem}", False),
    "no-such-file": ("tls_server_config: {cert_file: server.pem, key_file: nowhere}", False),
    "key-of-another": ("tls_server_config: {cert_file: clients.pem, key_file: server.key}", False),
    "version": (TLS + "  min_version: TLS9\n", False),
    "suite": (TLS + "  cipher_suites: [TLS_X]\n", False),
    "no-curve": (TLS + "  curve_preferences: [X448]\n", False),
    "auth-type": (CLIENTS.format("requireandverify"), False),
    "authority-without-policy": (TLS + "  client_ca_file: clients.pem\n", False),
    "header": ("http_server_config: {headers: {X-Powered-By: me}}", False),
    "header-value": ("http_server_config: {headers: {X-Frame-Options: never}}", False),
    "no-hash": ("basic_auth_users: {alice: wonderland}", False),
    "twice": (f"{USERS}  alice: {ALICE}\n", False),
    "boolean": ("http_server_config: {http2: perhaps}", False),
    "list": ("- a", False),
}


@pytest.mark.parametrize(("text", "accepted"), [pytest.param(*case, id=name) for name, case in SAME.items()])
def test_node_exporter_accepts_and_refuses_the_same_files(place: Place, text: str, accepted: bool) -> None:
    try:
        place.config(text)
        ours = True
    except Invalid:
        ours = False
    assert (ours, node_exporter_accepts(place)) == (accepted, accepted)


STRICTER = {
    "unverified": CLIENTS.format("RequireAnyClientCert"),
    "asked-for": CLIENTS.format("RequestClientCert"),
    "public-authorities": TLS + "  client_auth_type: RequireAndVerifyClientCert\n",
    "broken-version": TLS + "  min_version: TLS10\n",
    "no-forward-secrecy": TLS
    + "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_CBC_SHA]\n",
    "curves": TLS + "  curve_preferences: [X25519, CurveP256]\n",
    "only-policies": "tls_server_config: {min_version: TLS13}",
    "colon": f"basic_auth_users: {{'a:b': {ALICE}}}",
}


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in STRICTER.items()])
def test_what_node_exporter_accepts_is_refused_where_it_cannot_or_should_not_be_honoured(
    place: Place, text: str
) -> None:
    with pytest.raises(Invalid):
        place.config(text)
    assert node_exporter_accepts(place)
