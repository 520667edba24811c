"""A webhook is posted once, whole and signed, and what its receiver answers is understood."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
import trustme
from hypothesis import given, settings

from hachecks.deadline import Deadline
from hachecks.http.url import ProxyUrl, Url
from hachecks.messages.not_delivered import NotDelivered
from hachecks.messages.payload import data_of, encoded
from hachecks.net.target import Target
from hachecks.notifiers.webhook import WebhookNotifier
from hachecks.services import presets
from hachecks.services.http_options import ExtraHeader
from tests.cli import hacheck
from tests.events import event, message, messages, storm
from tests.notifier_contracts import Contract
from tests.receivers import Always, Discord, Ntfy, Receiver, Teams, said
from tests.servers import Asked, Route, Tunnel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from hachecks.messages.message import Message

BASES = ("--url-file /f", "--url-file /f --proxy http://p:1", "")

KEY, FORMER = bytes(range(32)), bytes(range(32, 64))
WHSEC, WHSEC_FORMER = ("whsec_" + base64.b64encode(key).decode() for key in (KEY, FORMER))
SIGNING_KEY = "whsec_" + base64.b64encode(b"S3CRET-signing-key-of-32-bytes--").decode()
THANKS, HAS_ID = Route(b"thanks"), said({"id": "1"})
SECRETS = ("S3CRET-path-1", "S3CRET-query-2")


def contract(good: Route = THANKS, secrets: tuple[str, ...] = (), zoo: bool = False, **more: Any) -> Contract:
    """What a webhook at a secret URL is held to."""
    return Contract(
        "webhook",
        lambda url: {"url": f"{url}/hook/S3CRET-path-1?token=S3CRET-query-2", **more},
        (*SECRETS, *secrets),
        good,
        meets_the_zoo=zoo,
    )


CONTRACTS = {
    "webhook": contract(
        bearer="S3CRET-bearer-3",
        header=["X-Api-Key: S3CRET-header-4"],
        signing_key=SIGNING_KEY,
        secrets=("S3CRET-bearer-3", "S3CRET-header-4", SIGNING_KEY),
        zoo=True,
    ),
    "webhook-basic": contract(
        basic="user:S3CRET-password-5",
        secrets=("S3CRET-password-5", base64.b64encode(b"user:S3CRET-password-5").decode()),
    ),
    "webhook-binary": contract(cloudevents="binary"),
    "webhook-structured": contract(cloudevents="structured"),
    "webhook-teams": contract(preset="teams"),
    "webhook-discord": contract(HAS_ID, preset="discord"),
    "webhook-ntfy": Contract(
        "webhook",
        lambda url: {"url": f"{url}/S3CRET-topic-6", "preset": "ntfy", "bearer": "S3CRET-bearer-3"},
        ("S3CRET-topic-6", "S3CRET-bearer-3"),
        HAS_ID,
        needs_body=True,
        meets_the_zoo=False,
    ),
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


def notifier(server: Receiver | str, **more: Any) -> WebhookNotifier:
    return WebhookNotifier(url=Url.parse(server if isinstance(server, str) else f"{server.url}/hook/s3cret"), **more)


def send(notifier: WebhookNotifier, told: Message) -> str:
    return notifier.send(told, Deadline.after(30))


def refused(notifier: WebhookNotifier, told: Message) -> NotDelivered:
    with pytest.raises(NotDelivered) as raised:
        send(notifier, told)
    return raised.value


def asked(receiver: Receiver) -> Asked:
    (request,) = receiver.requests
    return request


def test_the_document_says_everything(receiver: Receiver) -> None:
    assert send(notifier(receiver), message(why="refused")) == f"127.0.0.1:{receiver.port} answered 200"
    assert asked(receiver).method == "POST"
    assert asked(receiver).headers["Content-Type"] == "application/json"
    assert receiver.documents == [
        {
            "type": "hachecks.transitions.transition",
            "timestamp": "2026-11-22T17:00:00.250Z",
            "data": {
                "key": f"{1:032x}",
                "node": "node-1",
                "at": "2026-11-22T17:00:00.250Z",
                "severity": "critical",
                "title": "critical: VI_1 is FAULT on node-1",
                "summary": "VI_1 is FAULT",
                "test": False,
                "possible_duplicate": False,
                "omitted": 0,
                "changes": [
                    {
                        "kind": "INSTANCE",
                        "name": "VI_1",
                        "vips": ["10.0.0.1"],
                        "state": "FAULT",
                        "before": "MASTER",
                        "at": "2026-11-22T17:00:00.250Z",
                        "lasted": 3600.0,
                        "severity": "critical",
                        "why": "refused",
                        "events": [
                            {
                                "key": f"{1:032x}",
                                "state": "FAULT",
                                "at": "2026-11-22T17:00:00.250Z",
                                "priority": 100,
                            }
                        ],
                    }
                ],
            },
        }
    ]


def test_a_storm_is_one_document_and_what_matters_least_is_left_out(receiver: Receiver) -> None:
    send(notifier(receiver), storm(255, why="x" * 400))
    send(notifier(receiver, max_payload=20000), storm(255))
    whole, part = (document["data"] for document in receiver.documents)
    assert (len(whole["changes"]), whole["omitted"]) == (255, 0)
    assert len(part["changes"]) + part["omitted"] == 255
    assert 15000 < len(receiver.requests[1].body) <= 20200


@settings(max_examples=100, deadline=None)
@given(messages())
def test_any_message_is_json_within_the_limit(told: Message) -> None:
    data = encoded(data_of(told, 30000))
    document = json.loads(data.decode())
    assert len(data) <= 30000 or not document["changes"]
    assert document["omitted"] + len(document["changes"]) == len(told.changes)


def verified(request: Asked, *keys: bytes) -> bool:
    """As Standard Webhooks has it: one of the signatures is by one of the keys, and it is new."""
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = {base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys}
    given = {part.removeprefix("v1,") for part in request.headers["webhook-signature"].split(" ")}
    return bool(expected & given) and abs(time.time() - int(request.headers["webhook-timestamp"])) < 300


def test_the_signature_holds_for_either_key_while_they_rotate(receiver: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{WHSEC}\n{WHSEC_FORMER}\n")
    signing = notifier(receiver, signing_key_file=str(file))
    send(signing, message())
    assert verified(receiver.requests[0], KEY)
    assert verified(receiver.requests[0], FORMER)
    file.write_text(f"{WHSEC}\n")
    send(signing, message())
    assert verified(receiver.requests[1], KEY)
    assert not verified(receiver.requests[1], FORMER)


def test_the_id_stays_the_same_when_a_message_is_sent_again(receiver: Receiver) -> None:
    told = message(event("VI_1"), event("VI_2", number=2))
    receiver.first = [Route(b"", 503)]
    assert refused(notifier(receiver, signing_key=WHSEC), told).retryable
    send(notifier(receiver, signing_key=WHSEC), told)
    assert {request.headers["webhook-id"] for request in receiver.requests} == {told.key}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("whsec_c2hvcnQ=", 1, id="too short"),
        pytest.param(f"{WHSEC} not-a-key-at-all-but-secret", 2, id="no prefix"),
        pytest.param("whsec_\N{BULLET}\N{BULLET}", 1, id="no base64"),
    ],
)
def test_a_bad_key_is_refused_and_not_shown(receiver: Receiver, tmp_path: Path, text: str, number: int) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    failure = refused(notifier(receiver, signing_key_file=str(file)), message())
    assert str(failure) == f"cannot use key {number} of {file}: expected whsec_ and 24 to 64 bytes in base64"
    assert failure.retryable
    assert not receiver.requests


def test_a_binary_cloud_event_has_its_attributes_in_headers(receiver: Receiver) -> None:
    told = message(event('VI "é" 1%'), node="node 1")
    send(notifier(receiver, cloudevents="binary"), told)
    headers = asked(receiver).headers
    assert {name: unquote(value) for name, value in headers.items() if name.startswith("ce-")} == {
        "ce-specversion": "1.0",
        "ce-id": told.key,
        "ce-source": "/hachecks/node%201",
        "ce-type": "hachecks.transitions.transition",
        "ce-time": "2026-11-22T17:00:00.250Z",
        "ce-subject": 'VI "é" 1%',
    }
    assert headers["ce-subject"] == "VI%20%22%C3%A9%22%201%25"
    assert headers["Content-Type"] == "application/json"
    assert receiver.documents[0]["key"] == told.key


def test_a_structured_cloud_event_has_its_attributes_beside_the_data(receiver: Receiver) -> None:
    told = storm(3)
    send(notifier(receiver, cloudevents="structured"), told)
    (document,) = receiver.documents
    assert asked(receiver).headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert (document["specversion"], document["id"], "subject" in document) == ("1.0", told.key, False)
    assert len(document["data"]["changes"]) == 3


def test_headers_and_a_bearer_token_come_from_files_as_they_are_now(receiver: Receiver, tmp_path: Path) -> None:
    token, more = tmp_path / "token", tmp_path / "headers"
    token.write_text("first-token\n")
    more.write_text("X-Api-Key: key\nContent-Type: application/x-own+json\n")
    own = notifier(
        receiver, bearer_file=str(token), header_file=(str(more),), header=(ExtraHeader.parse("X-Env: night"),)
    )
    send(own, message())
    token.write_text("second-token\n")
    send(own, message())
    assert [request.headers["Authorization"] for request in receiver.requests] == [
        "Bearer first-token",
        "Bearer second-token",
    ]
    headers = receiver.requests[0].headers
    assert (headers["X-Api-Key"], headers["X-Env"], headers["Content-Type"]) == (
        "key",
        "night",
        "application/x-own+json",
    )


@pytest.mark.parametrize("name", ["url_file", "signing_key_file", "bearer_file", "basic_file", "header_file"])
def test_a_file_that_is_not_there_may_be_there_later(receiver: Receiver, tmp_path: Path, name: str) -> None:
    path = str(tmp_path / "absent")
    given: dict[str, Any] = {name: (path,) if name == "header_file" else path}
    if name != "url_file":
        given["url"] = Url.parse(receiver.url)
    failure = refused(WebhookNotifier(**given), message())
    assert str(failure) == f"cannot read {path}: No such file or directory"
    assert failure.retryable


def test_a_file_without_a_url_or_key_is_tried_again_and_not_shown(receiver: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("s3cret\n")
    failure = refused(WebhookNotifier(url_file=str(file)), message())
    assert str(failure) == f"cannot use {file}: a URL begins with http:// or https://"
    file.write_text("\n")
    failure = refused(notifier(receiver, signing_key_file=str(file)), message())
    assert str(failure) == f"cannot use {file}: it holds no key"
    failure = refused(notifier(receiver, basic="no-colon"), message())
    assert str(failure) == "cannot log in: basic authentication takes USER:PASSWORD"


def test_410_is_final_and_says_whose_doing_it_is() -> None:
    with Always(Route(b"", 410)) as gone:
        failure = refused(notifier(gone), message())
        assert str(failure) == f"127.0.0.1:{gone.port} answered 410: disabled by the receiver"
        assert not failure.retryable


def test_teams_takes_a_message_and_a_storm() -> None:
    with Teams() as teams:
        for told in (message(), storm()):
            assert send(notifier(teams.hook, preset="teams"), told) == f"127.0.0.1:{teams.port} answered 202"
        blocks = teams.documents[1]["attachments"][0]["content"]["body"]
        texts = [block["inlines"][0]["text"] for block in blocks]
        assert texts[0] == "critical: 255 instances changed: 255 FAULT on node-1"
        assert "VI_255 (10.0.0.255)" in texts[-2]


def test_an_error_in_a_200_of_teams_is_an_error() -> None:
    text = b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"
    with Always(Route(text, 200)) as teams:
        assert refused(notifier(teams, preset="teams"), message()).retryable
    with Always(Route(b"Bad payload received by generic incoming webhook: error", 200)) as teams:
        assert not refused(notifier(teams, preset="teams"), message()).retryable


def test_discord_takes_a_message_and_a_storm_and_says_so() -> None:
    with Discord() as discord:
        for told in (message(event("@everyone *VI_1*")), storm()):
            assert send(notifier(discord.hook, preset="discord"), told) == f"127.0.0.1:{discord.port} answered 200"
        assert all(request.target.endswith("?wait=true") for request in discord.requests)
        assert "\\@everyone \\*VI\\_1\\*" in discord.documents[0]["content"]


def test_a_thread_of_discord_stays_in_the_url() -> None:
    with Discord() as discord:
        send(notifier(f"{discord.hook}?wait=false", preset="discord"), message())
        assert discord.requests.pop().target.endswith("?wait=false")
        send(notifier(f"{discord.hook}?thread_id=7", preset="discord"), message())
        assert asked(discord).target.endswith("?thread_id=7&wait=true")


def test_ntfy_takes_a_message_and_a_storm() -> None:
    with Ntfy() as ntfy:
        for told in (message(), storm()):
            send(notifier(ntfy.hook, preset="ntfy", bearer=ntfy.token), told)
        assert (ntfy.documents[0]["priority"], ntfy.documents[0]["tags"]) == (5, ["rotating_light"])
        assert ntfy.documents[1]["message"].splitlines()[-1].startswith("… and ")


def test_ntfy_needs_a_topic() -> None:
    failure = refused(notifier("https://127.0.0.1:9/", preset="ntfy"), message())
    assert str(failure) == "the URL of ntfy ends with a topic: https://ntfy.sh/TOPIC"
    assert not failure.retryable


@pytest.mark.parametrize("preset", ["discord", "ntfy"])
def test_a_portals_page_is_no_delivery(preset: str) -> None:
    with Always(Route(b"<html>Please log in</html>")) as portal:
        failure = refused(notifier(portal, preset=preset), message())
        assert failure.retryable
        assert f"but not as {preset} does: <html>Please log in</html>" in str(failure)


@settings(max_examples=150, deadline=None)
@given(messages())
def test_any_message_is_within_the_limits_of_the_presets(told: Message) -> None:
    posted = {"Content-Type": "application/json"}
    with Teams() as teams, Discord() as discord, Ntfy() as ntfy:
        assert teams.answer(Asked("POST", teams.path, posted, encoded(presets.teams(told)))).status == 202
        assert discord.answer(Asked("POST", discord.path, posted, encoded(presets.discord(told)))).status == 204
        login = {**posted, "Authorization": f"Bearer {ntfy.token}"}
        assert ntfy.answer(Asked("POST", "/", login, encoded(presets.ntfy(told, ntfy.topic)))).status == 200


def test_tls_is_verified_and_the_way_can_be_chosen(tmp_path: Path) -> None:
    import ssl

    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("hooks.example.test").configure_cert(context)
    with Receiver(context=context) as server:
        way: dict[str, Any] = {"connect_to": Target("127.0.0.1", server.port)}
        hook = "https://hooks.example.test/s3cret"
        send(notifier(hook, ca_file=str(tmp_path / "ca"), **way), message())
        assert asked(server).headers["Host"] == "hooks.example.test"
        failure = refused(notifier(hook, **way), message())
        assert failure.retryable
        assert "TLS failed: unable to get local issuer certificate" in str(failure)
        with Tunnel() as proxy:
            through = ProxyUrl.parse(f"http://127.0.0.1:{proxy.port}")
            local = f"https://127.0.0.1:{server.port}/s3cret"
            own = {"ca_file": str(tmp_path / "ca"), "server_name": "hooks.example.test"}
            send(notifier(local, proxy=through, proxy_basic="user:word", **own), message())
            assert b"Proxy-Authorization: Basic dXNlcjp3b3Jk" in proxy.heard[0]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        pytest.param({}, "there is no URL: put it in a file and give --url-file FILE", id="nothing"),
        pytest.param(
            {"url_file": "F", "signing_key": "K", "signing_key_file": "F"},
            "--signing-key and --signing-key-file exclude each other",
            id="keys",
        ),
        pytest.param(
            {"url_file": "F", "basic_file": "F", "bearer_file": "F"},
            "--basic-file and --bearer-file exclude each other",
            id="logins",
        ),
        pytest.param(
            {"url_file": "F", "preset": "teams", "cloudevents": "binary"},
            "--cloudevents and --preset teams exclude each other",
            id="preset",
        ),
        pytest.param(
            {"url": Url.parse("https://h/"), "url_file": "F"}, "--url and --url-file exclude each other", id="urls"
        ),
        pytest.param(
            {"url_file": "F", "proxy": ProxyUrl.parse("http://p:1"), "connect_to": Target("h", 1)},
            "--proxy and --connect-to exclude each other",
            id="ways",
        ),
        pytest.param(
            {"url_file": "F", "proxy_basic_file": "F"}, "--proxy-basic-file needs --proxy", id="login to no proxy"
        ),
        pytest.param(
            {"url": Url.parse("http://h/"), "ca_file": "F"}, r"--ca-file needs TLS \(an https:// URL\)", id="no TLS"
        ),
    ],
)
def test_what_contradicts_itself_is_refused(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}$"):
        WebhookNotifier(**given)


def test_headers_that_may_be_secret_are_refused_on_the_command_line() -> None:
    done = hacheck("notify", "webhook", "--help")
    assert "--header 'NAME: VALUE'" in done.out
    from hachecks.services.http_options import refuse_secret_header

    assert refuse_secret_header("X-Environment: night") is None
    for name in ("Authorization", "X-Api-Key", "X-Auth-Token", "Cookie"):
        assert "--header-file" in str(refuse_secret_header(f"{name}: value"))
    assert repr(ExtraHeader.parse("X-Custom: s3cret")) == "X-Custom: …"


def test_the_command_line_takes_the_url_from_a_variable(receiver: Receiver) -> None:
    done = hacheck("notify", "--test", "webhook", HACHECK_WEBHOOK_URL=f"{receiver.url}/s3cret")
    assert done.code == 0
    assert done.out.rstrip().endswith(f": 127.0.0.1:{receiver.port} answered 200")
    assert receiver.documents[0]["data"]["test"] is True


def test_the_retry_of_a_signed_message_says_what_was_answered() -> None:
    with Receiver(first=[said({"error": "come back"}, 429, Retry_After="7")]) as busy:
        failure = refused(notifier(busy), message())
        assert (failure.retryable, failure.retry_after) == (True, 7.0)
        assert str(failure) == f'127.0.0.1:{busy.port} answered 429: too many messages: {{"error": "come back"}}'
