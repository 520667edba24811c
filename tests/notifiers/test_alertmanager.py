"""An alert fires in a real Alertmanager while an instance is in trouble, and is resolved under the same labels."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from datetime import datetime
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from hachecks.deadline import Deadline
from hachecks.http.url import Url
from hachecks.messages.fields import rfc3339
from hachecks.messages.not_delivered import NotDelivered
from hachecks.messages.standing import Standing
from hachecks.notifiers.alertmanager import AlertmanagerNotifier, Label
from hachecks.services.fired_alerts import FiredAlerts
from tests.cli import hacheck
from tests.events import AT, event, message, messages, storm
from tests.monitors import DIRECT, alertmanager, get_json, until
from tests.notifier_contracts import Contract
from tests.receivers import Always, Receiver
from tests.servers import Refusing, Route, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from hachecks.messages.message import Message
    from tests.servers import Asked

CONTRACTS = {
    "alertmanager": Contract(
        "alertmanager", lambda url: {"url": [url], "bearer": "S3CRET-bearer-3"}, ("S3CRET-bearer-3",)
    )
}
BASES = ("--url http://h/", "--url https://h/", "--url https://h/ --proxy http://p:1")
SAMPLES = {"--label": "a=1"}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HACHECK_STATE_DIR", str(tmp_path))


class Hook(Receiver):
    """Whom an Alertmanager tells, and what it has told of each node's alerts, in the order of telling."""

    def __init__(self) -> None:
        self.told: dict[str, list[dict[str, Any]]] = {}
        super().__init__()

    def answer(self, asked: Asked) -> Route:
        for alert in json.loads(asked.body)["alerts"]:
            self.told.setdefault(alert["labels"]["node"], []).append(alert)
        return Route()


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    with Hook() as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, hook: Hook) -> Iterator[str]:
    with alertmanager(tmp_path_factory.mktemp("alertmanager"), hook.url) as url:
        yield url


@pytest.fixture(scope="module")
def taker(tmp_path_factory: pytest.TempPathFactory, hook: Hook) -> Iterator[str]:
    """One that takes thousands of alerts, and is not kept busy by telling of each."""
    with alertmanager(tmp_path_factory.mktemp("taker"), hook.url, wait="1000d") as url:
        yield url


def notifier(*urls: str, **more: Any) -> AlertmanagerNotifier:
    return AlertmanagerNotifier(url=tuple(map(Url.parse, urls)), **more)


def send(notifier: AlertmanagerNotifier, told: Message, seconds: float = 30) -> str:
    return notifier.send(told, Deadline.after(seconds))


def active(server: str, node: str) -> list[dict[str, Any]]:
    """The alerts of a node that fire."""
    return [alert for alert in get_json(f"{server}/api/v2/alerts") if alert["labels"]["node"] == node]


def seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def statuses(hook: Hook, node: str) -> list[str]:
    """What was said of the alerts of a node, in the order of saying."""
    return [alert["status"] for alert in hook.told.get(node, ())]


def told_of(hook: Hook, node: str, status: str) -> bool:
    return status in statuses(hook, node)


def test_a_fault_fires_until_the_instance_recovers(server: str, hook: Hook) -> None:
    began, node = round(time.time() - 60, 3), "firing"
    told = send(notifier(server), message(event(at=began), node=node, why="refused"))
    assert told == "1 of 1 took 1 alert"
    (alert,) = active(server, node)
    assert alert["labels"] == {
        "alertname": "KeepalivedInstanceFault",
        "node": node,
        "instance": "VI_1",
        "vip": "10.0.0.1",
        "severity": "warning",
    }
    assert alert["annotations"]["summary"] == "VI_1 is FAULT on firing"
    assert alert["annotations"]["description"].endswith(": refused")
    assert seconds(alert["startsAt"]) == pytest.approx(began, abs=0.0011)
    assert seconds(alert["endsAt"]) == pytest.approx(time.time() + 86400, abs=30)
    until(lambda: told_of(hook, node, "firing"))
    recovered = event(state="BACKUP", before="FAULT", number=2, at=time.time(), since=began)
    send(notifier(server), message(recovered, node=node))
    assert active(server, node) == []
    until(lambda: told_of(hook, node, "resolved"))
    (resolved,) = {
        (alert["startsAt"], alert["labels"]["alertname"]) for alert in hook.told[node] if alert["status"] == "resolved"
    }
    assert seconds(resolved[0]) == pytest.approx(began, abs=0.0011)


def test_the_same_alert_is_resolved_that_fired() -> None:
    began, ended = AT, AT + 90
    with Receiver() as receiver:
        send(notifier(receiver.url), message(event(at=began)))
        send(notifier(receiver.url), message(event(state="MASTER", before="FAULT", number=2, at=ended, since=began)))
        (fired,), (resolved,) = receiver.documents
    assert fired["labels"] == resolved["labels"]
    assert fired["startsAt"] == resolved["startsAt"] == "2026-11-22T17:00:00.250Z"
    assert resolved["endsAt"] == "2026-11-22T17:01:30.250Z"


def test_a_stop_after_a_fault_is_another_alert(server: str) -> None:
    began = time.time() - 60
    send(notifier(server), message(event(at=began), node="stopping"))
    stopped = event(state="STOP", before="FAULT", number=2, at=time.time(), since=began)
    send(notifier(server), message(stopped, node="stopping"))
    assert [alert["labels"]["alertname"] for alert in active(server, "stopping")] == ["KeepalivedInstanceStopped"]


def test_a_storm_fires_255_alerts(server: str) -> None:
    told = storm(at=time.time())
    told.node = "storming"
    assert send(notifier(server), told) == "1 of 1 took 255 alerts"
    assert len(active(server, "storming")) == 255


def test_a_flap_that_ended_well_fires_nothing(server: str) -> None:
    now = time.time()
    flap = message(event(at=now - 2), event(state="BACKUP", before="FAULT", number=2, at=now - 1, since=now - 2))
    flap.node = "flapping"
    send(notifier(server), flap)
    assert active(server, "flapping") == []


def test_a_flap_that_ended_badly_fires(server: str) -> None:
    now = time.time()
    flap = message(
        event(at=now - 3),
        event(state="BACKUP", before="FAULT", number=2, at=now - 2, since=now - 3),
        event(state="FAULT", before="BACKUP", number=3, at=now - 1, since=now - 2),
        node="down",
    )
    send(notifier(server), flap)
    (alert,) = active(server, "down")
    assert seconds(alert["startsAt"]) == pytest.approx(now - 1, abs=0.0011)


def test_groups_have_alerts_of_their_own(server: str) -> None:
    send(notifier(server), message(event("VG_1", kind="GROUP", at=time.time()), node="grouped"))
    assert [alert["labels"]["alertname"] for alert in active(server, "grouped")] == ["KeepalivedGroupFault"]


def test_labels_can_be_added_and_changed(server: str) -> None:
    labels = tuple(map(Label.parse, ("severity=critical", "team=net=ops")))
    assert "label=(severity=critical, team=net=ops)" in repr(notifier(server, label=labels))
    send(notifier(server, label=labels), message(event(at=time.time()), node="labelled"))
    (alert,) = active(server, "labelled")
    assert (alert["labels"]["severity"], alert["labels"]["team"]) == ("critical", "net=ops")


def test_an_alert_that_nothing_resolves_ends(server: str, hook: Hook) -> None:
    send(notifier(server, resolve_after=5.0), message(event(at=time.time()), node="forgotten"))
    until(lambda: told_of(hook, "forgotten", "firing"))
    until(lambda: not active(server, "forgotten"))
    until(lambda: told_of(hook, "forgotten", "resolved"))


def test_a_failover_fires_nothing(server: str) -> None:
    told = send(notifier(server), message(event(state="MASTER", before="BACKUP"), node="taking over"))
    assert told == "nothing to fire or resolve"


@settings(max_examples=60, deadline=None)
@given(messages())
def test_any_message_is_taken(taker: str, told: Message) -> None:
    send(notifier(taker), told)


def test_a_route_prefix_stays_before_the_api(tmp_path: Path, hook: Hook) -> None:
    with alertmanager(tmp_path, hook.url, "/alerts/") as prefixed:
        assert send(notifier(prefixed), message(event(at=time.time()))) == "1 of 1 took 1 alert"


def test_every_member_is_told_and_one_suffices(server: str) -> None:
    with Refusing() as nobody, Silent() as silent:
        members = (f"http://127.0.0.1:{silent.port}", f"http://127.0.0.1:{nobody.port}", server)
        told = send(notifier(*members), message(event(at=time.time()), node="clustered"), 6)
        assert told == (
            f"1 of 3 took 1 alert; 127.0.0.1:{silent.port} did not answer within 2 s; "
            f"127.0.0.1:{nobody.port} refused the connection"
        )
        assert len(active(server, "clustered")) == 1
        with pytest.raises(NotDelivered, match=r"did not answer .*; .* refused the connection") as raised:
            send(notifier(*members[:2]), message(), 4)
        assert raised.value.retryable


def test_it_is_tried_again_when_the_first_member_may_be() -> None:
    with Always(Route(b"", 400)) as bad, Always(Route(b"", 503, {"Retry-After": "9"})) as busy:
        for urls, again, after in (((bad.url,), False, None), ((bad.url, busy.url), True, 9.0)):
            with pytest.raises(NotDelivered) as raised:
                send(notifier(*urls), message())
            assert (raised.value.retryable, raised.value.retry_after) == (again, after)


@pytest.mark.parametrize("text", ["severity", "=critical", "severity=", "1st=x", "se-verity=x"])
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not NAME=VALUE"):
        Label.parse(text)


def test_there_is_a_url() -> None:
    with pytest.raises(ValueError, match=r"^there is no --url$"):
        AlertmanagerNotifier()


def test_a_test_is_an_alert_of_its_own_that_ends(server: str) -> None:
    done = hacheck("notify", "--test", "alertmanager", "--url", server, NODE_NAME="testing")
    assert done.code == 0
    assert done.out.rstrip().endswith(": 1 of 1 took 1 alert")
    (alert,) = active(server, "testing")
    assert alert["labels"]["alertname"] == "KeepalivedTest"
    assert seconds(alert["endsAt"]) == pytest.approx(time.time() + 300, abs=20)


def post(server: str, *alerts: dict[str, Any]) -> None:
    """As a clock that is ahead dates them."""
    request = urllib.request.Request(
        f"{server}/api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"}
    )
    with DIRECT.open(request, timeout=20):
        pass


def test_a_clock_set_back_between_fault_and_recovery_ends_the_alert(server: str, hook: Hook) -> None:
    now, ahead = time.time(), time.time() + 3600
    fault = message(event(at=ahead), node="set back")
    (fired,) = notifier(server)._alerts(fault, FiredAlerts())
    post(server, {**fired, "startsAt": rfc3339(ahead), "endsAt": rfc3339(ahead + 86400)})
    until(lambda: len(active(server, "set back")) == 1)
    recovery = event(state="BACKUP", before="FAULT", number=2, at=now, since=ahead)
    assert send(notifier(server), message(recovery, node="set back")) == "1 of 1 took 1 alert"
    until(lambda: not active(server, "set back"))
    until(lambda: told_of(hook, "set back", "resolved"))


@pytest.mark.parametrize("began", [-86400.0, -1.0, 0.0, 1.0, 3600.0, 86400.0 * 400])
@pytest.mark.parametrize("ended", [-86400.0, 0.0, 3600.0])
def test_no_alert_ends_before_it_starts(began: float, ended: float) -> None:
    now = time.time()
    events = [
        event("a", at=now + began),
        event("b", state="BACKUP", before="FAULT", number=2, at=now + ended, since=now + began),
        event("c", state="STOP", before="FAULT", number=3, at=now + ended, since=now + began),
    ]
    alerts = notifier("http://127.0.0.1:1")._alerts(message(*events), FiredAlerts())
    assert len(alerts) == 4
    for alert in alerts:
        assert seconds(alert["startsAt"]) <= seconds(alert["endsAt"])
        assert seconds(alert["startsAt"]) <= time.time()
    ends = {alert["labels"]["instance"] + alert["labels"]["alertname"]: seconds(alert["endsAt"]) for alert in alerts}
    assert ends["bKeepalivedInstanceFault"] <= time.time()
    assert ends["cKeepalivedInstanceStopped"] > time.time()


def test_an_instance_and_a_group_of_one_name_are_two_alerts(server: str) -> None:
    now = time.time()
    both = message(
        event("V", at=now), event("V", number=2, at=now, kind="GROUP"), node="twins", vips={"V": ["10.0.0.1"]}
    )
    assert send(notifier(server), both) == "1 of 1 took 2 alerts"
    labels = {alert["labels"]["alertname"]: alert["labels"].get("vip") for alert in active(server, "twins")}
    assert labels == {"KeepalivedInstanceFault": "10.0.0.1", "KeepalivedGroupFault": None}
    ended = event("V", "BACKUP", "FAULT", number=3, at=time.time(), since=now, kind="GROUP")
    send(notifier(server), message(ended, node="twins"))
    until(lambda: [alert["labels"]["alertname"] for alert in active(server, "twins")] == ["KeepalivedInstanceFault"])


@pytest.mark.parametrize("ending", ["BACKUP", "DELETED"])
def test_an_alert_ends_under_its_labels_though_the_configuration_has_changed(
    server: str, tmp_path: Path, ending: str
) -> None:
    now, node = time.time(), f"changed {ending}"
    fault = event("V", at=now - 5)
    send(notifier(server), message(fault, node=node, vips={"V": ["10.0.0.1", "10.0.0.2"]}))
    again = event("V", "FAULT", "FAULT", number=2, at=now - 4, since=now - 5)
    send(notifier(server), message(again, node=node, vips={"V": ["10.0.0.3"]}))
    (alert,) = active(server, node)
    assert alert["labels"]["vip"] == "10.0.0.1,10.0.0.2"
    ended = event("V", ending, "FAULT", number=3, at=now, since=now - 5)
    send(notifier(server), message(ended, node=node, vips={}))
    until(lambda: not active(server, node))
    (kept,) = [path for path in tmp_path.iterdir() if path.name.startswith("alertmanager-")]
    assert json.loads(kept.read_text()) == {}


@pytest.mark.parametrize("text", ["[]", "{", "[" * 99999, '{"x": 1}', "\x00"])
def test_what_was_kept_of_alerts_may_be_anything(server: str, tmp_path: Path, text: str) -> None:
    send(notifier(server), message(event(at=time.time()), node="kept"))
    (kept,) = tmp_path.iterdir()
    kept.write_text(text)
    send(notifier(server), message(event(state="BACKUP", before="FAULT", at=time.time()), node="kept"))
    until(lambda: not active(server, "kept"))


class OtherClock(Receiver):
    """An Alertmanager for nodes whose clock is ahead of its own: between the two, each time is put into the other's."""

    def __init__(self, server: str, ahead: float) -> None:
        self.server = server
        self.ahead = ahead
        super().__init__()

    def answer(self, asked: Asked) -> Route:
        alerts = json.loads(asked.body)
        for alert in alerts:
            alert.update({name: rfc3339(seconds(alert[name]) + self.ahead) for name in ("startsAt", "endsAt")})
        post(self.server, *alerts)
        return Route(headers={"Date": formatdate(time.time() - self.ahead, usegmt=True)})


@pytest.mark.parametrize("ahead", [-3600.0, -0.7, 0.3, 2.0, 3600.0])
@pytest.mark.parametrize("lasted", [0.0, 5.0, 7200.0])
def test_an_alert_ends_whatever_the_clock_of_its_node_says(
    server: str, hook: Hook, ahead: float, lasted: float
) -> None:
    now, node = time.time(), f"ahead by {ahead} for {lasted}"
    with OtherClock(server, ahead) as between:
        send(notifier(between.url), message(event(at=now - lasted), node=node))
        until(lambda: told_of(hook, node, "firing"))
        ended = event(state="BACKUP", before="FAULT", number=2, at=time.time(), since=now - lasted)
        send(notifier(between.url), message(ended, node=node))
        until(lambda: not active(server, node))
    until(lambda: told_of(hook, node, "resolved"))
    time.sleep(1.5)  # group_interval, in which it could be told twice
    assert statuses(hook, node) == ["firing", "resolved"]


def test_an_alert_that_is_told_again_fires_though_the_clock_of_its_node_is_behind(server: str, hook: Hook) -> None:
    node, subject = "behind", ("INSTANCE", "VI_1")
    with OtherClock(server, -3600.0) as between:
        own = notifier(between.url)
        send(own, message(event(at=time.time()), node=node, repeat_interval=60.0))
        until(lambda: told_of(hook, node, "firing"))
        for _ in range(30):
            standing = Standing(node, {subject: "FAULT"}, 60.0, os.environ["HACHECK_STATE_DIR"])
            assert own.tell_again(standing, Deadline.after(30)) == "1 of 1 took 1 alert"
            assert len(active(server, node)) == 1
        assert len(between.requests) == 2 + 30, "its clock is known from the first answer on"
        own.tell_again(standing._replace(states={subject: "BACKUP"}), Deadline.after(30))
    until(lambda: not active(server, node))
    until(lambda: told_of(hook, node, "resolved"))
    assert statuses(hook, node) == ["firing", "resolved"]


def test_an_alert_that_is_over_at_once_ends(server: str) -> None:
    for number in range(200):
        node = f"over at once {number}"
        send(notifier(server), message(event(at=time.time()), node=node))
        ended = event(state="BACKUP", before="FAULT", number=2, at=time.time(), since=time.time())
        send(notifier(server), message(ended, node=node))
    until(lambda: not [alert for alert in get_json(f"{server}/api/v2/alerts") if "at once" in alert["labels"]["node"]])
