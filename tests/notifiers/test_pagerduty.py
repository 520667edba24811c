"""PagerDuty has an incident for each problem of an instance, which its end resolves."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

import pytest
import trustme
from hypothesis import given, settings

from hachecks.deadline import Deadline, TimedOut
from hachecks.http.url import Url
from hachecks.messages.not_delivered import NotDelivered
from hachecks.messages.payload import encoded
from hachecks.net.target import Target
from hachecks.notifiers.pagerduty import PagerdutyNotifier, SeverityMapping
from tests.cli import hacheck
from tests.events import AT, event, message, messages, storm
from tests.notifier_contracts import Contract
from tests.receivers import PagerDuty, said
from tests.servers import Asked, Route, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from hachecks.messages.message import Message

CONTRACTS = {
    "pagerduty": Contract(
        "pagerduty",
        lambda url: {"api": url, "routing_key": "S3CRET-routing-key-9"},
        ("S3CRET-routing-key-9",),
        said({"status": "success", "dedup_key": "x"}),
        needs_body=True,
        pause=60.0,
    )
}
BASES = ("--routing-key-file /f", "--routing-key-file /f --proxy http://p:1", "")
SAMPLES = {"--severity-map": "info=none"}


@pytest.fixture
def pagerduty() -> Iterator[PagerDuty]:
    with PagerDuty() as server:
        yield server


def notifier(server: PagerDuty, **more: Any) -> PagerdutyNotifier:
    return PagerdutyNotifier(**{"api": Url.parse(server.url), "routing_key": server.key, **more})


def send(notifier: PagerdutyNotifier, told: Message, seconds: float = 30) -> str:
    return notifier.send(told, Deadline.after(seconds))


def refused(notifier: PagerdutyNotifier, told: Message, seconds: float = 30) -> NotDelivered:
    with pytest.raises(NotDelivered) as raised:
        send(notifier, told, seconds)
    return raised.value


def change(state: str, before: str, node: str = "node-1", name: str = "VI_1") -> Message:
    return message(event(name, state, before), node=node)


def test_a_fault_triggers_and_the_recovery_resolves(pagerduty: PagerDuty) -> None:
    told = send(notifier(pagerduty), message(why="10.0.0.9:80 refused the connection"))
    assert told == f"127.0.0.1:{pagerduty.port} accepted 1 to trigger, 0 to resolve"
    (payload,) = pagerduty.open.values()
    assert payload["summary"] == "VI_1 (10.0.0.1) is FAULT on node-1: 10.0.0.9:80 refused the connection"
    assert (payload["source"], payload["component"], payload["severity"]) == ("node-1", "VI_1", "critical")
    assert payload["timestamp"] == "2026-11-22T17:00:00.250Z"
    send(notifier(pagerduty), change("BACKUP", "FAULT"))
    assert not pagerduty.open


@pytest.mark.parametrize(
    ("state", "before", "opened"),
    [
        pytest.param("FAULT", "BACKUP", 1, id="fault"),
        pytest.param("STOP", "MASTER", 1, id="stop"),
        pytest.param("MASTER", "BACKUP", 0, id="takeover"),
        pytest.param("BACKUP", "MASTER", 0, id="handover"),
        pytest.param("DELETED", "BACKUP", 0, id="deleted"),
    ],
)
def test_only_what_is_lost_triggers(pagerduty: PagerDuty, state: str, before: str, opened: int) -> None:
    send(notifier(pagerduty), change(state, before))
    assert (len(pagerduty.open), len(pagerduty.requests)) == (opened, opened)


@pytest.mark.parametrize("recovered", ["MASTER", "BACKUP", "DELETED"])
def test_whatever_ends_the_problem_resolves_it(pagerduty: PagerDuty, recovered: str) -> None:
    send(notifier(pagerduty), change("FAULT", "MASTER"))
    send(notifier(pagerduty), change("STOP", "FAULT"))
    assert len(pagerduty.open) == 1
    send(notifier(pagerduty), change(recovered, "STOP"))
    assert not pagerduty.open


def test_what_another_node_takes_over_does_not_resolve_this_nodes_problem(pagerduty: PagerDuty) -> None:
    send(notifier(pagerduty), change("FAULT", "MASTER", node="node-1"))
    send(notifier(pagerduty), change("MASTER", "BACKUP", node="node-2"))
    send(notifier(pagerduty), change("BACKUP", "FAULT", node="node-2"))
    assert len(pagerduty.open) == 1


def test_nodes_of_one_name_are_told_apart_by_their_cluster(pagerduty: PagerDuty) -> None:
    for cluster in ("", "a", "b"):
        send(notifier(pagerduty, cluster=cluster), change("FAULT", "MASTER"))
    assert len(pagerduty.open) == 3


def test_a_flap_that_ended_well_leaves_nothing_open(pagerduty: PagerDuty) -> None:
    flap = message(event(), event(state="BACKUP", before="FAULT", number=2, at=AT + 1))
    send(notifier(pagerduty), flap)
    assert not pagerduty.open


def test_severities_can_be_mapped_and_left_out(pagerduty: PagerDuty) -> None:
    mapped = notifier(pagerduty, severity_map=tuple(map(SeverityMapping.parse, ("critical=error", "warning=none"))))
    send(mapped, message(event("VI_1", "FAULT", "MASTER"), event("VI_2", "FAULT", "BACKUP", number=2)))
    assert [payload["severity"] for payload in pagerduty.open.values()] == ["error"]
    assert "severity_map=(critical=error, warning=none)" in repr(mapped)


@pytest.mark.parametrize("text", ["critical", "fatal=info", "info=fatal", "="])
def test_a_mapping_of_unknown_severities_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not OURS=THEIRS"):
        SeverityMapping.parse(text)


def test_after_a_failure_only_the_rest_of_a_storm_is_sent(pagerduty: PagerDuty) -> None:
    limited = [Route(b'{"status":"success"}', 202)] * 40 + [Route(b"", 429, {"Retry-After": "3"})]
    pagerduty.first = limited
    own = notifier(pagerduty)
    failure = refused(own, storm())
    assert (failure.retryable, failure.retry_after) == (True, 3.0)
    send(own, storm())
    assert len(pagerduty.open) == 215
    assert len(pagerduty.requests) == 41 + 215
    keys = [document["dedup_key"] for document in pagerduty.documents]
    assert len(set(keys)) == 255


class SlowPagerDuty(PagerDuty):
    """Takes its time."""

    def answer(self, asked: Asked) -> Route:
        time.sleep(0.02)
        return super().answer(asked)


def test_a_storm_larger_than_the_deadline_gets_on() -> None:
    with SlowPagerDuty() as pagerduty:
        own = notifier(pagerduty)
        failure = refused(own, storm(), 2)
        assert (failure.retryable, failure.retry_after) == (True, 0.0)
        assert str(failure).endswith(" of 255 events were accepted in time")
        send(own, storm(), 60)
        assert len(pagerduty.open) == 255
        assert 255 <= len(pagerduty.requests) <= 256


def test_a_storm_of_which_nothing_is_taken_in_time_is_tried_again() -> None:
    with Silent() as silent, pytest.raises(TimedOut):
        send(PagerdutyNotifier(api=Url.parse(f"http://127.0.0.1:{silent.port}"), routing_key="K"), storm(), 2)


def test_a_repeated_message_changes_nothing(pagerduty: PagerDuty) -> None:
    for _ in range(2):
        send(notifier(pagerduty), storm(20))
    assert (len(pagerduty.open), len(pagerduty.requests)) == (20, 40)


def test_429_without_a_time_is_a_pause_of_a_minute(pagerduty: PagerDuty) -> None:
    pagerduty.first = [Route(b"", 429)]
    failure = refused(notifier(pagerduty), message())
    assert (failure.retryable, failure.retry_after) == (True, 60.0)


def test_a_wrong_key_is_final_and_not_shown(pagerduty: PagerDuty, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("ffffeeeeddddccccbbbbaaaa99998888\n")
    own = notifier(pagerduty, routing_key=None, routing_key_file=str(file))
    failure = refused(own, message())
    assert not failure.retryable
    assert "… is an invalid routing key" in str(failure)
    file.write_text(pagerduty.key)
    send(own, message())


def test_a_portals_page_is_no_delivery(pagerduty: PagerDuty) -> None:
    pagerduty.first = [Route(b"<html>Please log in</html>")]
    assert refused(notifier(pagerduty), message()).retryable


@pytest.mark.parametrize(
    ("region", "host"),
    [pytest.param("us", "events.pagerduty.com", id="us"), pytest.param("eu", "events.eu.pagerduty.com", id="eu")],
)
def test_the_region_is_a_host_of_pagerduty(tmp_path: Path, region: str, host: str) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(host).configure_cert(context)
    with PagerDuty(context=context) as server:
        way = {"connect_to": Target("127.0.0.1", server.port), "ca_file": str(tmp_path / "ca")}
        assert send(notifier(server, api=None, region=region, **way), message()).startswith(f"{host}:443 accepted")
        assert server.requests[0].headers["Host"] == host


@settings(max_examples=150, deadline=None)
@given(messages())
def test_any_message_is_events_that_are_taken(told: Message) -> None:
    own = PagerdutyNotifier(routing_key=PagerDuty.key)
    with PagerDuty() as server:
        for body in own._events(told):
            data = encoded({"routing_key": PagerDuty.key, **body})
            asked = Asked("POST", "/v2/enqueue", {"Content-Type": "application/json"}, data)
            assert server.answer(asked).status == 202


def test_endless_flapping_leaves_the_details_out(pagerduty: PagerDuty) -> None:
    states = ("FAULT", "BACKUP")
    events = [event("V" * 100, states[n % 2], states[1 - n % 2], number=n) for n in range(1, 6002)]
    send(notifier(pagerduty), message(*events, event("V" * 100, "FAULT", "BACKUP", number=6002)))
    (payload,) = pagerduty.open.values()
    assert payload["custom_details"]["left_out"] == "the details are too large"


def test_a_test_is_an_incident_of_its_own(pagerduty: PagerDuty) -> None:
    send(notifier(pagerduty), message())
    done = hacheck("notify", "--test", "pagerduty", "--api", pagerduty.url, HACHECK_PAGERDUTY_ROUTING_KEY=pagerduty.key)
    assert done.code == 0
    assert done.out.rstrip().endswith(f"127.0.0.1:{pagerduty.port} accepted 1 to trigger, 0 to resolve")
    assert sorted(payload["summary"].startswith("[test] ") for payload in pagerduty.open.values()) == [False, True]


def test_there_is_one_key() -> None:
    with pytest.raises(ValueError, match="there must be one integration key"):
        PagerdutyNotifier()
    with pytest.raises(ValueError, match="there must be one integration key"):
        PagerdutyNotifier(routing_key="K", routing_key_file="F")
