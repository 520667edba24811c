"""A real rsyslog understands every message, by whatever way it comes."""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

import pytest
import trustme
from hypothesis import given, settings

from hachecks.deadline import Deadline, TimedOut
from hachecks.net.target import Target
from hachecks.notifiers.syslog import DATAGRAM_LIMIT, SyslogNotifier
from hachecks.services import syslog_message
from hachecks.verdict import Failure
from tests.cli import hacheck
from tests.events import event, message, messages, storm
from tests.logdaemons import journald, rsyslog
from tests.servers import Dripping, Silent
from tests.talker import talking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from hachecks.messages.message import Message
    from tests.logdaemons import Rsyslog
    from tests.servers import Server
    from tests.talker import Talker

BASES = ("", "--transport tls --server h:1", "--server h:1")
SAMPLES = {"--transport": "udp"}

NASTY = 'a"b\\c]d é'
RFC5424 = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) "
    rb'\[hacheck@32473((?: [!-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")+)\] ',
    re.DOTALL,
)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def daemon(tmp_path: Path, authority: trustme.CA) -> Iterator[Rsyslog]:
    with rsyslog(tmp_path, authority) as running:
        yield running


def ways(daemon: Rsyslog) -> dict[str, dict[str, Any]]:
    ca = str(daemon.directory / "ca.pem")
    return {
        "udp": {"server": Target.parse(f"127.0.0.1:{daemon.udp}")},
        "tcp": {"server": Target.parse(f"127.0.0.1:{daemon.tcp}"), "transport": "tcp"},
        "tls": {"server": Target.parse(f"localhost:{daemon.tls}"), "transport": "tls", "ca_file": ca},
    }


def send(told: Message, seconds: float = 30, **options: Any) -> str:
    return SyslogNotifier(**options).send(told, Deadline.after(seconds))


@pytest.mark.parametrize("way", ["udp", "tcp", "tls"])
def test_everything_arrives_by(way: str, daemon: Rsyslog) -> None:
    told = message(event(name=NASTY), vips={NASTY: ["10.0.0.1"]}, why="port 443 refused")
    said = send(told, facility="local3", app_name="vrrp", **ways(daemon)[way])
    assert said.startswith("wrote 1 message to ")
    (taken,) = daemon.taken(1)
    assert taken["hostname"] == "node-1"
    assert taken["app-name"] == "vrrp"
    assert taken["procid"] == str(os.getpid())
    assert taken["msgid"] == "FAULT"
    assert taken["syslogfacility-text"] == "local3"
    assert taken["syslogpriority-text"] == "crit"
    assert 'name="a\\"b\\\\c\\]d é"' in taken["structured-data"]
    assert 'reason="port 443 refused"' in taken["structured-data"]
    text = f"INSTANCE {NASTY} (10.0.0.1) FAULT (was MASTER) priority 100: port 443 refused"
    assert taken["msg"].lstrip("\ufeff") == text


@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_a_storm_arrives_whole_and_in_order_by(way: str, daemon: Rsyslog) -> None:
    send(storm(255), **ways(daemon)[way])
    taken = daemon.taken(255)
    names = [re.search(r'name="(VI_\d+)"', one["structured-data"]) for one in taken]
    assert [name and name[1] for name in names] == [f"VI_{number}" for number in range(1, 256)]


def test_the_nodes_own_syslog_is_spoken_to_as_syslog_3_does(daemon: Rsyslog) -> None:
    send(message(), server=Target.parse(f"unix:{daemon.directory / 'log'}"))
    (taken,) = daemon.taken(1)
    assert taken["app-name"] == "hacheck"
    assert taken["procid"] == str(os.getpid())
    assert taken["syslogpriority-text"] == "crit"
    assert taken["msg"].strip() == "INSTANCE VI_1 (10.0.0.1) FAULT (was MASTER) priority 100"


def test_journald_at_dev_log_understands_it_too(tmp_path: Path) -> None:
    with journald(tmp_path) as running:
        send(message(), server=Target.parse(f"unix:{running.dev_log}"))
        (entry,) = running.entries(1, "SYSLOG_IDENTIFIER=hacheck")
    assert entry["MESSAGE"] == "INSTANCE VI_1 (10.0.0.1) FAULT (was MASTER) priority 100"
    assert entry["PRIORITY"] == "2"


def test_a_client_certificate_that_is_wanted_and_not_given_is_noticed(tmp_path: Path, authority: trustme.CA) -> None:
    with rsyslog(tmp_path, authority, client_certificates=True) as daemon:
        with pytest.raises(Failure):
            send(message(event(number=1)), **ways(daemon)["tls"])
        own = authority.issue_cert("node-1.example.org")
        own.private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
        send(message(event(number=2)), **ways(daemon)["tls"], cert_file=str(tmp_path / "own.pem"))
        (taken,) = daemon.taken(1)
    assert f'key="{2:032x}"' in taken["structured-data"]


@pytest.mark.parametrize("says_goodbye", [True, False])
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_server_that_looks_at_our_certificate_after_the_handshake_is_heard_out(
    version: str, says_goodbye: bool, tmp_path: Path, authority: trustme.CA
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.maximum_version = ssl.TLSVersion[version]  # 1.3 sends session tickets as if all were well
    authority.configure_trust(context)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    def close(connection: socket.socket, talker: Talker) -> None:
        talker.heard.append(b"")  # no session goes on: what is written now is lost
        if says_goodbye and isinstance(connection, ssl.SSLSocket):
            connection.unwrap()
        connection.close()

    ours: dict[str, Any] = {"transport": "tls", "server_name": "localhost", "ca_file": str(tmp_path / "ca.pem")}
    told = "after it asked for a client certificate"
    with talking(close, context=context) as talker, pytest.raises(Failure, match=told):
        send(message(), server=Target.parse(talker.address), **ours)


def test_an_authority_that_is_not_trusted_gets_nothing(daemon: Rsyslog) -> None:
    with pytest.raises(Failure, match="TLS failed"):
        send(message(), server=Target.parse(f"localhost:{daemon.tls}"), transport="tls")


def test_a_connection_that_is_reset_is_tried_again() -> None:
    def rude(connection: socket.socket, _: Talker) -> None:
        connection.recv(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with talking(rude) as talker, pytest.raises(Failure, match=r"reset|closed"):
        send(storm(100), server=Target.parse(talker.address), transport="tcp")


@pytest.mark.parametrize("animal", [Silent, Dripping], ids=lambda animal: animal.__name__)
def test_a_server_that_does_not_close_is_not_waited_for_long(animal: type[Server]) -> None:
    began = time.monotonic()
    with animal("127.0.0.1") as peer:
        send(message(), server=Target.parse(f"127.0.0.1:{peer.port}"), transport="tcp")
    assert time.monotonic() - began < 20


def test_a_server_that_reads_nothing_holds_it_to_the_deadline_only() -> None:
    began = time.monotonic()
    with Silent("127.0.0.1") as peer:
        server = Target.parse(f"127.0.0.1:{peer.port}")
        with pytest.raises(TimedOut):
            send(storm(255), seconds=2, server=server, transport="tls", verify=False)
    assert time.monotonic() - began < 20


def test_a_datagram_is_no_larger_than_all_take() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        vips = [f"2001:db8::{number}" for number in range(500)]
        told = message(vips={"VI_1": vips}, why="é" * 3000)
        send(told, server=Target.parse(f"127.0.0.1:{receiver.getsockname()[1]}"))
        data = receiver.recv(65536)
    assert len(data) <= DATAGRAM_LIMIT
    data.decode()
    match = RFC5424.match(data)
    assert match, data
    assert match[7] == f' key="{1:032x}"'.encode()


@pytest.mark.parametrize("limit", [400, 401])
@pytest.mark.parametrize("write", [syslog_message.rfc5424, syslog_message.local])
def test_no_character_is_cut_in_half(write: Callable[..., bytes], limit: int) -> None:
    told = message(why="é" * 3000)
    ((change, one),) = told.one_by_one
    data = write(told, change, one, "daemon", "hacheck", limit)
    assert data.decode().endswith("é")
    assert limit - 1 <= len(data) <= limit


@settings(deadline=None)
@given(messages())
def test_whatever_it_holds_it_is_rfc_5424(told: Message) -> None:
    for change, one in told.one_by_one:
        data = syslog_message.rfc5424(told, change, one, "daemon", "hacheck", DATAGRAM_LIMIT)
        assert len(data) <= DATAGRAM_LIMIT
        assert RFC5424.match(data), data
        assert b"\n" not in data
        assert b"\0" not in data


def test_a_server_that_refuses_is_tried_again() -> None:
    with pytest.raises(Failure, match="does not exist"):
        send(message(), server=Target.parse("unix:/nonexistent/log"))


def test_octets_are_counted_not_characters() -> None:
    heard: list[bytes] = []
    done = threading.Event()

    def listen(connection: socket.socket, _: Talker) -> None:
        while data := connection.recv(65536):
            heard.append(data)
        done.set()

    with talking(listen) as talker:
        send(message(event("é", number=1), event("ü", number=2)), server=Target.parse(talker.address), transport="tcp")
        assert done.wait(30)
    data = b"".join(heard)
    for _ in range(2):
        count, _, data = data.partition(b" ")
        assert RFC5424.match(data[: int(count)])
        data = data[int(count) :]
    assert data == b""


def test_from_the_command_line(daemon: Rsyslog) -> None:
    answer = hacheck("notify", "--test", "syslog", "--server", f"127.0.0.1:{daemon.tcp}", "--transport", "tcp")
    assert answer.code == 0, answer
    (taken,) = daemon.taken(1)
    assert taken["msg"].startswith("[test] INSTANCE ")


@pytest.mark.parametrize("options", [{"transport": "tls"}, {"ca_file": "/f"}])
def test_what_cannot_work_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="--"):
        SyslogNotifier(**options)
