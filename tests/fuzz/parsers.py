"""The parsers that read what others write, each as a target of generated inputs."""

from __future__ import annotations

import json
import os
import smtplib
import time
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

from hachecks import units
from hachecks.checks import results
from hachecks.checks.streak import StreakRecord
from hachecks.config import Configuration
from hachecks.deadline import Deadline, TimedOut
from hachecks.delivery import queue_state, silence
from hachecks.delivery.backlog import Backlog
from hachecks.delivery.channel import Channel
from hachecks.delivery.channels import channels_of
from hachecks.delivery.dead_letters import NAME as DEAD_LETTERS
from hachecks.delivery.delivery import Delivery
from hachecks.delivery.notifications import Queues
from hachecks.delivery.options import DeliveryOptions
from hachecks.delivery.pending import pending
from hachecks.exporter.web_config.config import WebConfig
from hachecks.group import answer, judgement, words
from hachecks.group.table import lines
from hachecks.http import json_value
from hachecks.http.conditions import Condition
from hachecks.http.exchange import exchange
from hachecks.http.headers import Header, HeaderPattern
from hachecks.http.limits import PhaseLimit
from hachecks.http.ranges import StatusRanges
from hachecks.http.request import Request
from hachecks.http.url import ProxyUrl, Url
from hachecks.ipfailover.lint import formats, reading
from hachecks.ipfailover.lint.catalogue import lint
from hachecks.ipfailover.lint.subject import subject
from hachecks.keepalived import configuration, json_dump
from hachecks.keepalived import openshift as variables
from hachecks.messages.message import TemplateText
from hachecks.messages.not_delivered import NotDelivered
from hachecks.net import dns_message
from hachecks.net.dialogue import Step
from hachecks.net.line_protocols import Caller
from hachecks.net.starttls import PROTOCOLS, Conversation
from hachecks.net.target import Endpoint, Ip
from hachecks.net.target import Target as Address
from hachecks.net.tls import TlsOptions
from hachecks.notifiers.log import LogNotifier
from hachecks.services.instance_metrics import InstanceMetrics
from hachecks.services.slack_response import judge_api, judge_webhook
from hachecks.services.smtp import Session as SmtpSession
from hachecks.settings import Invalid
from hachecks.sql import credentials, mysql_session, postgresql_session
from hachecks.sql.database_url import DatabaseUrl
from hachecks.sql.expectation import Expectation
from hachecks.sql.lag import Lag
from hachecks.sql.wire import SocketAdapter
from hachecks.transitions import event, history_files, journal
from hachecks.transitions.transition import Transition
from hachecks.verdict import CannotLook, Failure, Verdict
from hachecks.wire import frames
from tests.fuzz import of_pods, seeds
from tests.fuzz.files import directory, file_of, text
from tests.fuzz.peer import WHERE, Saying, saying
from tests.fuzz.target import Target
from tests.nodes import node_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.http.response import Response

REASONS = (Failure, CannotLook, TimedOut)
URL = Url.parse(f"http://{WHERE}/")
LOGIN = credentials.Login("u", "p")
NAMES = ("A", "AAAA", "CNAME", "TXT", "SRV", "MX")


def each(*parsers: Callable[[str], object]) -> Callable[[bytes], None]:
    """Give the text to each of these, which may raise `ValueError`."""

    def run(data: bytes) -> None:
        for parse in parsers:
            try:
                parse(text(data))
            except ValueError:
                continue

    return run


def keepalived_conf(data: bytes) -> None:
    configuration.vips_of(text(data))
    configuration.hacheck_command(text(data))
    file_of(b"vrrp_instance VI_2 {\n interface eth0\n}\n", "part.conf")
    configuration.read_configuration(file_of(data, "keepalived.conf"))


def an_event() -> event.Event:
    facts = json.loads(seeds.EVENT)
    return event.Event(**{**facts, "number": 3, "at": time.time(), "options": (), "order": ("b", 1, 2)})


def journal_file(data: bytes) -> None:
    os.makedirs(os.path.join(directory(), "journal-of"), exist_ok=True)
    file_of(data, "journal-of/journal")
    found, _ = journal.read_from([os.path.join(directory(), "journal-of")], journal.Offsets())
    for one in found.transitions:
        assert Transition.from_record(one.record()[1:-1].decode()).record() == one.record()
    for one_event in event.TransitionLog().events_from(found.transitions):
        assert event.Event.parse(str(one_event)).facts() == one_event.facts()


def record(data: bytes) -> None:
    log = event.TransitionLog()
    for one in log.events_from([Transition.from_record(text(data))]):
        event.Event.parse(str(one))


def fifo_line(data: bytes) -> None:
    said = Transition.from_fifo_line(text(data))
    read = Transition.from_record(said.record()[1:-1].decode())
    assert (read.kind, read.name, read.state) == (said.kind, said.name, said.state), "the record says something else"


def history_file(data: bytes) -> None:
    file_of(data, history_files.NAME)
    log = event.TransitionLog()
    for one in history_files.events(directory()):
        log.add(one)
        bool(one.changes)
        DeliveryOptions().wants(one)


def queue_file(data: bytes) -> None:
    file_of(data, "queue-x")
    file_of(data, silence.SILENCE)
    queue_state.queues(directory())
    silence.silence_left(directory())
    channel = Channel("x", LogNotifier(file="/dev/null"), DeliveryOptions())
    backlog = Backlog([an_event()])
    told = Delivery("n", {"x": channel}, directory(), {})
    pending(channel, told.queues["x"], backlog)
    told.waiting(backlog)
    list(told.deliver(backlog))


def dead_letters(data: bytes) -> None:
    os.makedirs(os.path.join(directory(), "letters-of"), exist_ok=True)
    file_of(data, f"letters-of/{DEAD_LETTERS}")
    told: list[str] = []
    queues = Queues(node_at(os.path.join(directory(), "letters-of"), config="/nonexistent"), told.append)
    queues.list()
    queues.retry()


def verdict_file(data: bytes) -> None:
    one = results.CheckResults.parse(text(data))
    assert results.CheckResults.parse(one.to_text()) == one
    one.count(Verdict.failing("x"), False, 5.0, 0.1)
    results.CheckResults.parse(one.to_text())


def streak(data: bytes) -> None:
    memory = StreakRecord("b", 100.0, 60.0)
    found = memory.load(text(data))
    if found is not None:
        assert found.opposing >= 0, "a negative streak is believed"
        assert memory.load(memory.dump(found.after(True, 2, 2))) is not None


def condition(data: bytes) -> None:
    written, _, document = text(data).partition("\0")
    found = Condition.parse(written)
    for one in (document, '{"a":[1,2,{"b":null}]}', "[1e999,-0,1]"):
        try:
            found.complaint(json_value.parse(one))
        except ValueError:
            continue


def dns_answer(data: bytes) -> None:
    kind = NAMES[data[0] % len(NAMES)] if data else "A"
    query = dns_message.question("a.example", kind if kind in dns_message.TYPES else "A", 7, True)
    answer = dns_message.Answer((7).to_bytes(2, "big") + data[1:11] + query[12:] + data[11:], query, WHERE)
    bool(answer.authoritative or answer.truncated)
    answer.records()


def dns_datagram(data: bytes) -> None:
    dns_message.Answer(data, dns_message.question("a.example", "A", 7, True), WHERE).records()


def answered(data: bytes, *, http2: bool = False) -> Response:
    with saying(data) as stream:
        answer = exchange(Request(URL, http2=http2), Saying(stream), TlsOptions(), Deadline.after(30))
    assert 100 <= answer.status <= 999
    assert len(answer.body) <= 65536
    return answer


def http1(data: bytes) -> None:
    answer = answered(data)
    bool(answer.text)
    for location in answer.values_of("Location"):
        URL.join(location)


def slack(data: bytes) -> None:
    answer = answered(data)
    for judge in (judge_webhook, judge_api):
        try:
            judge(answer, WHERE, ["secret"])
        except NotDelivered:
            continue


def postgresql(data: bytes) -> None:
    with saying(data) as stream:
        session = postgresql_session.Session(
            SocketAdapter(stream, "PostgreSQL"), LOGIN, "d", bool(data[:1] and data[0] & 1)
        )
        session.parameter("server_version")
        session.run("select 1")
        session.end()


def mysql(data: bytes) -> None:
    url = DatabaseUrl.parse(f"mysql://u@{WHERE}/d")
    with (
        saying(data) as stream,
        mysql_session.Session(SocketAdapter(stream, "MySQL"), LOGIN, url, None, "x") as session,
    ):
        session.log_in()
        bool(session.version or session.is_mariadb)
        session.run("select 1")
        session.pairs("show x")


def starttls(data: bytes) -> None:
    protocol = PROTOCOLS[data[0] % len(PROTOCOLS) if data else 0]
    with saying(data[1:]) as stream, Conversation(protocol, stream, Caller(host="x.test")):
        pass


def smtp(data: bytes) -> None:
    mail = EmailMessage()
    mail["From"] = "a@example.com"
    mail.set_content("x")
    with saying(data) as stream, SmtpSession(stream) as session:
        session.begin(None)
        session.hand_over(mail, ["b@example.com", "c@example.com"])


def web_config(data: bytes) -> None:
    WebConfig.read(file_of(data, "web.yml"))


OPENSHIFT_NAMES = ("VIRTUAL_IPS", "VIP_GROUPS", "VRRP_ID_OFFSET", "CHECK_INTERVAL", "CONFIG_NAME", "UNICAST_PEERS")


def openshift(data: bytes) -> None:
    environ = {
        f"OPENSHIFT_HA_{name}": line for name, line in zip(OPENSHIFT_NAMES, text(data).replace("\0", " ").split("\n"))
    }
    variables.configuration({**environ, "OPENSHIFT_HA_CHECK_SCRIPT": "x", "HA_EXCLUDED_VRRP_IDS": "3 4"})
    carried = variables.instances(environ)
    assert sum(map(len, carried.values())) == len(variables.expanded(environ["OPENSHIFT_HA_VIRTUAL_IPS"])), (
        "a VIP is lost"
    )


def linted(data: bytes) -> None:
    written = text(data)
    if reading.is_keepalived_conf(written):
        found = reading.read((), (), [reading.conf(written, "F")] * 2)
    else:
        found = reading.read([(written, "F")], [(written, "E")])
    judged = subject(found.sources, {}, resources=found.resources, confs=found.confs, refused=found.refused)
    findings = lint(judged)
    assert len(formats.as_text(findings).splitlines()) == len(findings), "a finding is not one line"


def hacheck_toml(data: bytes) -> None:
    found = Configuration.read(file_of(data, "hacheck.toml"))
    channels_of(found, {})
    found.rows({})


def exposition(data: bytes) -> None:
    known = InstanceMetrics.parse(text(data))
    assert str(InstanceMetrics.parse(str(known))) == str(known)


def passwords(data: bytes) -> None:
    credentials.password_in(text(data).split("\n"), ("h", "5432", "d", "u"))
    credentials.client_options(text(data))


WORDS: tuple[Any, ...] = (
    Url, ProxyUrl, Address, Endpoint, Ip, StatusRanges, Header, HeaderPattern, PhaseLimit, dns_message.Name,
    DatabaseUrl, Step, Expectation, Lag, TemplateText, Condition,
)  # fmt: skip
UNITS = (units.parse_duration, units.parse_size, units.parse_port, units.parse_int, units.parse_bool)


def peer_answer(data: bytes) -> None:
    found = answer.parse(data)
    assert answer.parse(found.text().encode()) == found
    own = found._replace(identity="own", node="own", vips=dict.fromkeys(found.vips, answer.Held("V", "MASTER", True)))
    members = [judgement.Member("", "own", own), judgement.Member("b:1", found.node, found)]
    group = judgement.judged(members, judgement.judged(members))
    json.dumps(words.document(group))
    assert all(line.isprintable() for line in lines(group))


def frame(data: bytes) -> None:
    for protocol in (frames.ETH_P_ARP, frames.ETH_P_IP, frames.ETH_P_IPV6):
        said = frames.read(protocol, data, "eth0", b"abcdef")
        assert not isinstance(said, frames.Advert) or (len(said.addresses) < 256 and said.is_multicast in (True, False))


TARGETS = (
    Target("keepalived.conf", keepalived_conf, seeds.KEEPALIVED_CONF, (configuration.Unreadable,)),
    Target("keepalived.conf-includes", keepalived_conf, seeds.INCLUDES, (configuration.Unreadable,)),
    Target("keepalived.json", lambda data: list(map(repr, json_dump.dumps_of(text(data)).values())),
           seeds.KEEPALIVED_JSON, (ValueError,)),
    Target("peer", peer_answer, seeds.PEER, (ValueError,)),
    Target("frame", frame, seeds.FRAMES),
    Target("openshift-variables", openshift, seeds.OPENSHIFT),
    Target("lint", linted, seeds.LINT, (Invalid,)),
    Target("fifo-line", fifo_line, seeds.FIFO, (ValueError,)),
    Target("record", record, [seeds.RECORD], (ValueError,)),
    Target("journal", journal_file, seeds.JOURNAL),
    Target("journal-reading", lambda data: str(journal.Offsets(text(data))), [b"12-ab 34\n"]),
    Target("history", history_file, seeds.HISTORY),
    Target("queue", queue_file, seeds.QUEUE),
    Target("dead-letters", dead_letters, seeds.LETTERS),
    Target("verdict", verdict_file, seeds.VERDICT, (ValueError,)),
    Target("streak", streak, seeds.STREAK),
    Target("exposition", exposition, seeds.EXPOSITION),
    Target("hacheck.toml", hacheck_toml, seeds.HACHECK_TOML, (Invalid,)),
    # PyYAML takes a millisecond for some ten tokens, and nobody but the administrator writes this file.
    Target("web.config", web_config, seeds.WEB_CONFIG, (Invalid,), longest=4096),
    Target("passwords", passwords, seeds.PASSWORDS),
    Target("words", each(*(cls.parse for cls in WORDS), *UNITS), seeds.WORDS),
    Target("redirect", lambda data: URL.join(text(data)), seeds.WORDS, (ValueError,)),
    Target("json-condition", condition, seeds.CONDITIONS, (ValueError,)),
    Target("dns-answer", dns_answer, seeds.DNS, REASONS),
    Target("dns-datagram", dns_datagram, [seeds.DNS_DATAGRAM], REASONS),
    Target("http1", http1, seeds.HTTP1, (*REASONS, ValueError)),
    Target("http2", lambda data: answered(data, http2=True), seeds.HTTP2, REASONS),
    Target("slack", slack, seeds.HTTP1, REASONS),
    Target("postgresql", postgresql, seeds.POSTGRESQL, REASONS),
    Target("mysql", mysql, seeds.MYSQL, REASONS),
    Target("starttls", starttls, seeds.STARTTLS, REASONS),
    Target("smtp", smtp, seeds.SMTP, (*REASONS, smtplib.SMTPException)),
    *of_pods.TARGETS,
)  # fmt: skip
