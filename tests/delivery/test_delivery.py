"""Every channel learns of every event at least once, as one message, with one key, and no more often than need be."""

from __future__ import annotations

import json
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from hachecks.deadline import TimedOut
from hachecks.delivery.attempt import kind_of, send
from hachecks.delivery.backlog import Backlog
from hachecks.delivery.channel import Channel
from hachecks.delivery.dead_letters import NAME as DEAD_LETTERS
from hachecks.delivery.delivery import Delivery, backoff
from hachecks.delivery.options import DeliveryOptions
from hachecks.delivery.pending import pending
from hachecks.delivery.queue_state import DURATIONS, DeliveryStats, Queue, QueueState, queues
from hachecks.delivery.silence import keep_silence, silence_left
from hachecks.http.url import Url
from hachecks.messages.not_delivered import NotDelivered
from hachecks.notifiers.exec import ExecNotifier
from hachecks.notifiers.log import LogNotifier
from hachecks.notifiers.webhook import WebhookNotifier
from hachecks.verdict import CannotLook, Failure
from tests.cli import ROOT
from tests.events import event, message
from tests.logdaemons import eventually
from tests.servers import Http, Route, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hachecks.deadline import Deadline
    from hachecks.messages.message import Message
    from hachecks.notifiers import Notifier
    from hachecks.transitions.event import Event

FINE, BUSY, BROKEN = Route(b"ok"), Route(b"busy", 503), Route(b"no", 400)
QUICK = 0.001


class Told(NamedTuple):
    """A message as the receiver saw it."""

    key: str
    names: list[str]
    possible_duplicate: bool


class Receiver:
    """A webhook that answers what a test wants."""

    server: Http

    def __init__(self) -> None:
        self.routes = {"/hook": FINE}

    def answers(self, route: Route) -> None:
        """From now on."""
        self.routes["/hook"] = route

    def told(self) -> list[Told]:
        """Every message that came, accepted or not."""
        found = []
        for asked in self.server.requests:
            data = json.loads(asked.body)["data"]
            names = [change["name"] for change in data["changes"]]
            found.append(Told(asked.headers["webhook-id"], names, data["possible_duplicate"]))
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    with Http(one.routes) as one.server:
        yield one


def now(number: int = 1, name: str = "VI_1", state: str = "FAULT", before: str | None = "MASTER", **more: Any) -> Event:
    return event(name, state, before, number=number, **{"at": time.time(), **more})


def channel(receiver: Receiver, name: str = "hook", **options: Any) -> Channel:
    notifier = WebhookNotifier(url=Url.parse(f"{receiver.server.url}/hook"))
    return Channel(name, notifier, DeliveryOptions(**{"rate": QUICK, **options}))


def delivery(directory: Path, *channels: Channel) -> Delivery:
    return Delivery("node-1", {one.name: one for one in channels}, str(directory), {})


def deliver(one: Delivery, *events: Event) -> list[str]:
    time.sleep(2 * QUICK)
    return [said for _, said in one.deliver(Backlog(events))]


def dead_letters(directory: Path) -> list[dict[str, Any]]:
    path = directory / DEAD_LETTERS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_an_event_is_told_once(receiver: Receiver, tmp_path: Path) -> None:
    one = delivery(tmp_path, channel(receiver))
    deliver(one, now())
    assert deliver(one, now()) == []
    assert one.waiting(Backlog([now()])) is None
    again = delivery(tmp_path, channel(receiver))
    assert deliver(again, now()) == []
    assert receiver.told() == [Told(now().key, ["VI_1"], possible_duplicate=False)]


def test_a_storm_is_one_message(receiver: Receiver, tmp_path: Path) -> None:
    deliver(delivery(tmp_path, channel(receiver)), *[now(n, f"V{n}") for n in range(1, 256)])
    (told,) = receiver.told()
    assert len(told.names) == 255


def test_a_message_is_frozen_until_it_is_told(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers(BUSY)
    one = delivery(tmp_path, channel(receiver))
    first, second, third = now(1, "a"), now(2, "b"), now(3, "c")
    (said,) = deliver(one, first, second)
    assert "trying again in 1 s" in said
    one.queues["hook"].retry_in(60, waiting=2)
    receiver.answers(FINE)
    assert deliver(one, first, second, third) == [], "not yet"
    restarted = delivery(tmp_path, channel(receiver))
    assert 0 < (restarted.waiting(Backlog([first, second, third])) or 0) <= 60
    restarted.queues["hook"].not_before = 0
    deliver(restarted, first, second, third)
    deliver(restarted, first, second, third)
    before, after, rest = receiver.told()
    assert (before.key, before.names) == (after.key, after.names)
    assert not before.possible_duplicate
    assert after.possible_duplicate
    assert rest == Told(third.key, ["c"], possible_duplicate=False)


def test_a_frozen_message_that_nobody_wants_any_more_holds_nothing_back(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers(BUSY)
    deliver(delivery(tmp_path, channel(receiver)), now(1, "a"))
    receiver.answers(FINE)
    changed = delivery(tmp_path, channel(receiver, instances=("b",)))
    changed.queues["hook"].not_before = 0
    deliver(changed, now(1, "a"), now(2, "b"))
    assert receiver.told()[-1].names == ["b"]


def test_backoff_doubles_up_to_five_minutes() -> None:
    assert backoff(1) == 1
    for attempts in range(2, 40):
        assert 1 <= backoff(attempts) <= min(300, 2 ** (attempts - 1))
    assert len({backoff(9) for _ in range(20)}) > 1


def test_retry_after_freezes_the_channel(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers(Route(b"slow down", 429, {"Retry-After": "70"}))
    one = delivery(tmp_path, channel(receiver))
    (said,) = deliver(one, now(1))
    assert "trying again in 70 s" in said
    receiver.answers(FINE)
    assert deliver(one, now(1), now(2)) == []
    assert one.waiting(Backlog([now(1), now(2)])) == pytest.approx(70, abs=20)
    restarted = delivery(tmp_path, channel(receiver))
    assert restarted.waiting(Backlog([now(1), now(2)])) == pytest.approx(70, abs=20)


def test_what_is_refused_for_good_is_a_dead_letter_and_told_by_the_fallback(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers(BROKEN)
    log = Channel("log", LogNotifier(file=str(tmp_path / "log")), DeliveryOptions())
    one = delivery(tmp_path, channel(receiver, fallback="log"), log)
    (said,) = deliver(one, now(1, "a"), now(2, "b"))
    assert "given up; log: wrote 2 lines" in said
    assert (tmp_path / "log").read_text().count("\n") == 2
    (letter,) = dead_letters(tmp_path)
    assert letter["notifier"] == "hook"
    assert [one["name"] for one in letter["events"]] == ["a", "b"]
    assert "400" in letter["reason"]
    assert deliver(one, now(1, "a"), now(2, "b")) == []


def test_a_fallback_is_told_nothing_else(receiver: Receiver, tmp_path: Path) -> None:
    log = Channel("log", LogNotifier(file=str(tmp_path / "log")), DeliveryOptions())
    deliver(delivery(tmp_path, channel(receiver, fallback="log"), log), now())
    assert not (tmp_path / "log").exists()
    assert len(receiver.told()) == 1


def test_what_grew_too_old_is_given_up_and_what_did_not_is_not(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers(BUSY)
    one = delivery(tmp_path, channel(receiver, max_age=20.0))
    old, young = now(1, "old", at=time.time() - 30), now(2, "young")
    (said,) = deliver(one, old, young)
    assert "given up" in said
    receiver.answers(FINE)
    deliver(one, old, young)
    assert receiver.told()[-1].names == ["young"]
    (letter,) = dead_letters(tmp_path)
    assert [one["name"] for one in letter["events"]] == ["old"]


def test_a_new_channel_is_not_told_old_news(receiver: Receiver, tmp_path: Path) -> None:
    one = delivery(tmp_path, channel(receiver))
    deliver(one, now(1, "old", at=time.time() - 90), now(2, "new"))
    assert [told.names for told in receiver.told()] == [["new"]]


def test_a_channel_that_was_there_is_told_what_came_while_nobody_delivered(receiver: Receiver, tmp_path: Path) -> None:
    deliver(delivery(tmp_path, channel(receiver)))
    late = delivery(tmp_path, channel(receiver))
    deliver(late, now(1, at=time.time() - 3600))
    assert len(receiver.told()) == 1


def test_a_history_that_was_lost_begins_anew(receiver: Receiver, tmp_path: Path) -> None:
    deliver(delivery(tmp_path, channel(receiver)), now(1000))
    deliver(delivery(tmp_path, channel(receiver)), now(1, "a"))
    deliver(delivery(tmp_path, channel(receiver)), now(1, "a"), now(2, "b"))
    assert receiver.told()[-1].names == ["b"]


@pytest.mark.parametrize(("last", "names"), [(6, ["new"]), (7, []), (8, ["new"])])
def test_a_history_whose_numbers_end_before_what_was_told_is_another_one(
    receiver: Receiver, tmp_path: Path, last: int, names: list[str]
) -> None:
    (tmp_path / "queue-hook").write_text('{"told": 7}')
    deliver(delivery(tmp_path, channel(receiver)), now(last, "new"))
    assert [name for told in receiver.told() for name in told.names] == names


def silence(directory: Path, seconds: float) -> None:
    (directory / "silence").write_text(json.dumps({"until": time.time() + seconds}))


def test_silence_ends_by_itself_and_is_kept_by_people_not_by_records(receiver: Receiver, tmp_path: Path) -> None:
    log = Channel("log", LogNotifier(file=str(tmp_path / "log")), DeliveryOptions(rate=QUICK))
    one = delivery(tmp_path, channel(receiver), log)
    silence(tmp_path, 60)
    deliver(one, now(1, "a"))
    silence(tmp_path, -1)
    deliver(one, now(1, "a"), now(2, "b"))
    assert [told.names for told in receiver.told()] == [["b"]]
    assert (tmp_path / "log").read_text().count("\n") == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param({}, ["a FAULT", "b MASTER", "c STOP", "router_1 FAULT"], id="all"),
        pytest.param({"severity": "warning"}, ["a FAULT", "c STOP", "router_1 FAULT"], id="warning"),
        pytest.param({"severity": "critical"}, ["a FAULT"], id="critical"),
        pytest.param({"states": ("MASTER", "STOP")}, ["b MASTER", "c STOP"], id="states"),
        pytest.param({"instances": ("router_*", "b")}, ["b MASTER", "router_1 FAULT"], id="instances"),
        pytest.param({"states": ("BACKUP",)}, ["start BACKUP"], id="a-start-if-asked-for"),
    ],
)
@pytest.mark.parametrize("wants_all_events", [False, True])
def test_filters(options: dict[str, Any], told: list[str], wants_all_events: bool) -> None:
    events = [
        now(1, "start", "BACKUP", None),
        now(2, "a", "FAULT", "MASTER"),
        now(3, "b", "MASTER", "BACKUP"),
        now(4, "c", "STOP", "BACKUP"),
        now(5, "router_1", "FAULT", "BACKUP"),
        now(6, "late", "FAULT", "MASTER", late=True),
        now(7, "same", "MASTER", "MASTER"),
        now(8, "priority", "MASTER_PRIORITY", "MASTER"),
    ]
    chosen = DeliveryOptions(**options)
    wanted = [f"{one.name} {one.state}" for one in events if chosen.wants(one, wants_all_events)]
    if wants_all_events:
        assert set(told) <= set(wanted)
        assert options or len(wanted) == len(events)
    else:
        assert wanted == told


def test_the_rate_is_kept(receiver: Receiver, tmp_path: Path) -> None:
    one = delivery(tmp_path, channel(receiver, rate=60.0))
    deliver(one, now(1))
    assert deliver(one, now(1), now(2), now(3)) == []
    assert one.waiting(Backlog([now(1), now(2), now(3)])) == pytest.approx(60, abs=20)
    one.queues["hook"].last_sent -= 60
    deliver(one, now(1), now(2), now(3))
    assert len(receiver.told()) == 2, "what came meanwhile is one message"


def test_one_channel_does_not_wait_for_another(receiver: Receiver, tmp_path: Path) -> None:
    with Silent("127.0.0.1") as silent:
        url = Url.parse(f"http://127.0.0.1:{silent.port}/")
        options = DeliveryOptions(rate=QUICK, send_timeout=0.3)
        hanging = Channel("hanging", WebhookNotifier(url=url), options)
        said = deliver(delivery(tmp_path, hanging, channel(receiver)), now())
    assert "trying again" in said[0]
    assert len(receiver.told()) == 1


class Breaking:
    """A notifier with a bug."""

    def send(self, message: Message, deadline: Deadline) -> str:
        raise KeyError(f"s3cret {message.key} {deadline}")


def test_a_notifier_that_breaks_keeps_no_other_from_being_told(receiver: Receiver, tmp_path: Path) -> None:
    notifier: Notifier = Breaking()
    broken = Channel("broken", notifier, DeliveryOptions(rate=QUICK))
    said = deliver(delivery(tmp_path, broken, channel(receiver)), now())
    assert said[0] == "broken: KeyError in the notifier; trying again in 1 s"
    assert len(receiver.told()) == 1


def test_a_command_that_waits_for_another_run_learns_of_what_came_since(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f'cd {tmp_path}; [ -e ready ] || exit 75; echo "$3 $HACHECK_DUPLICATE" >> told')
    notifier = ExecNotifier(command=("sh", str(script)), mode="latest")
    one = delivery(tmp_path, Channel("run", notifier, DeliveryOptions(rate=QUICK)))
    fault, backup = now(1), now(2, state="BACKUP", before="FAULT")
    (said,) = deliver(one, fault)
    assert said == "VI_1 FAULT: exit status 75; trying again in 1 s"
    (tmp_path / "ready").touch()
    one.queues["run"].not_before = 0
    deliver(one, fault, backup)
    assert (tmp_path / "told").read_text() == "BACKUP 1\n"


SENDING = """
import sys
import threading
sys.path.insert(0, {root!r})
from tests.delivery.test_delivery import *
from pathlib import Path
directory = Path(sys.argv[1])
notifier = WebhookNotifier(url=Url.parse(sys.argv[2]))
one = delivery(directory, Channel("hook", notifier, DeliveryOptions(rate=QUICK)))
print("sending", flush=True)
deliver(one, now(1, "a"), now(2, "b"))
"""


def test_who_is_killed_while_sending_sends_again_with_the_same_key(receiver: Receiver, tmp_path: Path) -> None:
    with Silent("127.0.0.1") as silent:
        words = [
            sys.executable,
            "-c",
            SENDING.format(root=str(ROOT)),
            str(tmp_path),
            f"http://127.0.0.1:{silent.port}/",
        ]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.readline() == "sending\n"
        until = time.monotonic() + 10
        while (
            not (tmp_path / "queue-hook").exists() or json.loads((tmp_path / "queue-hook").read_text())["sending"] == 0
        ):
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    receiver.answers(BUSY)
    one = delivery(tmp_path, channel(receiver))
    deliver(one, now(1, "a"), now(2, "b"), now(3, "c"))
    receiver.answers(FINE)
    one.queues["hook"].not_before = 0
    deliver(one, now(1, "a"), now(2, "b"), now(3, "c"))
    first, second = receiver.told()
    assert first == second
    assert first.names == ["a", "b"]
    assert first.possible_duplicate


def test_what_cannot_be_noted_is_told_again_rather_than_never(receiver: Receiver, tmp_path: Path) -> None:
    nowhere = tmp_path / "absent"
    one = delivery(nowhere, channel(receiver))
    deliver(one, now())
    assert deliver(one, now()) == [], "this process remembers"
    deliver(delivery(nowhere, channel(receiver)), now())
    assert len(receiver.told()) == 2


def test_one_that_hangs_keeps_no_other_waiting(receiver: Receiver, tmp_path: Path) -> None:
    with Silent() as silent:
        url = Url.parse(f"http://127.0.0.1:{silent.port}/")
        hanging = Channel("a", WebhookNotifier(url=url), DeliveryOptions(send_timeout=60.0))
        thread = threading.Thread(target=deliver, args=(delivery(tmp_path, hanging, channel(receiver)), now()))
        thread.start()
        eventually(lambda: len(receiver.told()) == 1)
        assert thread.is_alive(), "the other one hangs still"
    thread.join(30)


class Remembering:
    """A notifier that says where it may remember something."""

    def send(self, message: Message, deadline: Deadline) -> str:
        return f"{message.state_dir} {deadline.seconds}"


def test_a_message_says_where_its_notifier_may_remember_something(tmp_path: Path) -> None:
    one = delivery(tmp_path, Channel("remembering", Remembering(), DeliveryOptions()))
    assert deliver(one, now()) == [f"{tmp_path} 10.0"]
    assert message().state_dir == "", "a test of a notifier, or a dry run, leaves nothing behind"


def counted(directory: Path) -> Queue:
    (one,) = [queue for queue in queues(str(directory)) if queue.name == "hook"]
    return one


def seen(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def test_what_came_of_the_attempts_is_counted_through_restarts(receiver: Receiver, tmp_path: Path) -> None:
    first, second, third = now(1, "a"), now(2, "b"), now(3, "c")
    receiver.answers(BUSY)
    deliver(delivery(tmp_path, channel(receiver)), first, second)
    queue = counted(tmp_path)
    assert (queue.deliveries, seen(dict(queue.failures)), queue.waiting) == (1, {"status": 1}, 2)
    assert (queue.last_success, queue.attempts) == (None, 1)
    assert "503" in queue.trouble
    again = delivery(tmp_path, channel(receiver))
    again.queues["hook"].not_before = 0
    deliver(again, first, second, third)
    assert counted(tmp_path).waiting == 3, "also what is not in the message that is tried again"
    receiver.answers(FINE)
    again.queues["hook"].not_before = 0
    deliver(again, first, second, third)
    assert counted(tmp_path).waiting == 1
    deliver(again, first, second, third)
    queue = counted(tmp_path)
    assert (queue.deliveries, seen(dict(queue.failures)), queue.waiting, queue.trouble) == (4, {"status": 2}, 0, "")
    assert queue.last_success == pytest.approx(time.time(), abs=5)
    assert queue.durations[-1] == 4
    assert list(queue.durations) == sorted(queue.durations)
    assert 0 < queue.seconds < 4 * DURATIONS[-1]
    assert (queue.delivered_up_to, set(queue.dropped.values())) == (3, {0})


def test_what_is_given_up_is_counted_by_why(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers(BROKEN)
    one = channel(receiver, max_age=20.0)
    deliver(delivery(tmp_path, one), now(1), now(2))
    assert (counted(tmp_path).dropped, counted(tmp_path).waiting) == ({"expired": 0, "refused": 2}, 0)
    receiver.answers(BUSY)
    deliver(delivery(tmp_path, one), now(3, at=time.time() - 30), now(4))
    assert (counted(tmp_path).dropped, counted(tmp_path).waiting) == ({"expired": 1, "refused": 2}, 1)


def test_nothing_waits_while_nobody_is_to_be_told(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers(BUSY)
    one = delivery(tmp_path, channel(receiver))
    deliver(one, now(1))
    silence(tmp_path, 60)
    deliver(one, now(1), now(2))
    assert counted(tmp_path).waiting == 0


def test_a_fallback_is_counted_too(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers(BROKEN)
    log = Channel("log", LogNotifier(file=str(tmp_path / "log")), DeliveryOptions())
    others = [channel(receiver, f"hook{number}", fallback="log") for number in range(5)]
    deliver(delivery(tmp_path, *others, log), now(1))
    (queue,) = [queue for queue in queues(str(tmp_path)) if queue.name == "log"]
    assert (queue.deliveries, queue.waiting, sum(queue.failures.values())) == (5, 0, 0)
    assert queue.last_success is not None


class OneAtATime:
    """A notifier that notes how many tell it something at once."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.second = threading.Event()

    def send(self, message: Message, deadline: Deadline) -> str:
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.inside > 1:
            self.second.set()
        self.second.wait(0.3)  # for another that may come in
        self.inside -= 1
        return f"told {message.key} within {deadline.seconds}"


def test_a_fallback_is_told_by_one_at_a_time(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers(BROKEN)
    notifier = OneAtATime()
    others = [channel(receiver, f"hook{number}", fallback="all") for number in range(5)]
    deliver(delivery(tmp_path, *others, Channel("all", notifier, DeliveryOptions())), now(1))
    assert notifier.most == 1
    (queue,) = [queue for queue in queues(str(tmp_path)) if queue.name == "all"]
    assert queue.deliveries == 5


def test_attempts_are_counted_by_how_long_they_took() -> None:
    stats = DeliveryStats({})
    for seconds in (0.04, 0.05, 7.0, 31.0):
        stats.count(seconds)
    assert stats.durations == [2, 2, 2, 2, 2, 2, 2, 3, 3, 4]
    assert stats.seconds == pytest.approx(38.09)


def test_a_queue_of_a_former_version_begins_at_zero(receiver: Receiver, tmp_path: Path) -> None:
    former = {"told": 7, "attempts": 0, "not_before": 0.0, "sending": 0, "trouble": ""}
    (tmp_path / "queue-hook").write_text(json.dumps(former))
    assert (counted(tmp_path).delivered_up_to, counted(tmp_path).deliveries, counted(tmp_path).durations) == (
        7,
        0,
        [0] * 10,
    )
    deliver(delivery(tmp_path, channel(receiver)), now(7, "old"), now(8, "new"))
    assert [told.names for told in receiver.told()] == [["new"]]
    assert counted(tmp_path).deliveries == 1


@pytest.mark.parametrize("text", ["", "[]", "no JSON", "{}", '"\\ud800'])
def test_what_is_no_queue_is_left_out(tmp_path: Path, text: str) -> None:
    (tmp_path / "queue-broken").write_text(text)
    (tmp_path / "queue-hook~new").write_text('{"told": 1}')
    (tmp_path / "queue-directory").mkdir()
    (tmp_path / "queue-odd").write_text(
        json.dumps({"told": "1", "deliveries": [], "failures": 3, "dropped": {"expired": ""}, "durations": ["x"] * 10})
    )
    (odd,) = queues(str(tmp_path))
    assert (odd.name, odd.delivered_up_to, odd.deliveries, odd.dropped, odd.durations[-1]) == (
        "odd",
        None,
        0,
        {"expired": 0, "refused": 0},
        0,
    )
    assert queues(str(tmp_path / "absent")) == []


class Raising:
    """A notifier to which something happens."""

    def __init__(self, error: Exception, wrapped: bool) -> None:
        self.error = error
        self.wrapped = wrapped

    def send(self, message: Message, deadline: Deadline) -> str:
        if not self.wrapped:
            raise self.error
        try:
            raise self.error
        except (CannotLook, Failure, OSError, TimedOut) as error:
            raise NotDelivered(f"{error} {message.key} {deadline}", retryable=True) from None


def with_kind(error: Exception, kind: str) -> Exception:
    error.kind = kind  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(TimedOut(), "timeout", id="deadline"),
        pytest.param(with_kind(Failure("x"), "tls"), "tls", id="a-failure-of-that-kind"),
        pytest.param(CannotLook("x"), "config", id="cannot-look"),
        pytest.param(ConnectionRefusedError(), "refused", id="refused"),
        pytest.param(ConnectionResetError(), "unreachable", id="reset"),
        pytest.param(socket.gaierror(), "dns", id="no-such-name"),
        pytest.param(ssl.SSLError(), "tls", id="tls"),
        pytest.param(smtplib.SMTPAuthenticationError(535, b"no"), "auth", id="smtp-login"),
        pytest.param(smtplib.SMTPServerDisconnected(), "status", id="smtp"),
        pytest.param(FileNotFoundError(), "config", id="no-such-file"),
        pytest.param(OSError(28, "full"), "internal", id="disk-full"),
    ],
)
def test_a_failed_attempt_is_of_a_kind(error: Exception, kind: str, wrapped: bool) -> None:
    one = Channel("raising", Raising(error, wrapped), DeliveryOptions())
    with pytest.raises(NotDelivered) as caught:
        send(one, message())
    assert kind_of(caught.value) == kind


def test_a_bug_is_of_a_kind_of_its_own_and_an_answer_is_none() -> None:
    with pytest.raises(NotDelivered) as caught:
        send(Channel("broken", Breaking(), DeliveryOptions()), message())
    assert kind_of(caught.value) == "internal"
    assert kind_of(NotDelivered("503", retryable=True)) == "status"


WRONG: dict[str, list[Any]] = {
    "told": ["", 2.5, True, -1, {}, [], 10**400, None],
    "attempts": ["x", 1.5, True, -1, [], 10**400],
    "not_before": [{}, "1", True, float("inf"), float("-inf"), float("nan"), 10**400, 1e300],
    "wait": [{}, "1", True, float("inf"), float("nan"), -1],
    "sending": [{}, "1", 1.5, True, -1],
    "trouble": [{}, 1, None, ["x"], "\ud800"],
    "waiting": [{}, "1", 1.5, True, -1],
    "fallback_told": [{}, "1", 1.5, True, -1],
    "deliveries": [[], "1", True, -1, float("nan")],
    "failures": [3, [], {"status": "x"}, {"status": -1}, {"no such kind": 1}, {"x" * 99: 1}],
    "dropped": [3, {"expired": ""}, {"expired": True}],
    "durations": [3, [1], ["x"] * 10, [True] * 10, [-1] * 10],
    "seconds": ["x", True, float("nan"), float("inf"), -1],
    "last_success": ["x", True, float("nan"), float("inf"), {}],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
def test_a_queue_of_another_type_keeps_nobody_from_being_told(tmp_path: Path, field: str, value: object) -> None:
    (tmp_path / "queue-log").write_text(json.dumps({"told": 0, field: value}))
    log = Channel("log", LogNotifier(file=str(tmp_path / "log")), DeliveryOptions())
    deliver(delivery(tmp_path, log), now(1))
    assert (tmp_path / "log").read_text().count("\n") == 1
    assert counted_by_name(tmp_path, "log").deliveries == 1


def test_every_field_of_a_queue_is_looked_at(tmp_path: Path) -> None:
    QueueState(str(tmp_path / "queue-log")).save()
    assert set(json.loads((tmp_path / "queue-log").read_text())) == set(WRONG)


@pytest.mark.parametrize("text", ["[]", "{", "", "null", "1", "[" * 100_000, '{"told": ' * 50_000, "\x00", "\xff"])
def test_a_queue_that_is_none_keeps_nobody_from_being_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "queue-log").write_text(text, encoding="latin-1")
    log = Channel("log", LogNotifier(file=str(tmp_path / "log")), DeliveryOptions())
    deliver(delivery(tmp_path, log), now(1))
    assert (tmp_path / "log").read_text().count("\n") == 1


def counted_by_name(directory: Path, name: str) -> Queue:
    (found,) = [queue for queue in queues(str(directory)) if queue.name == name]
    return found


@pytest.mark.parametrize(
    "silence",
    [{"until": float("nan")}, {"until": float("inf")}, {"until": "x"}, {"until": True}, {"until": 10**400}, []],
)
def test_a_silence_of_another_type_is_none(receiver: Receiver, tmp_path: Path, silence: object) -> None:
    (tmp_path / "silence").write_text(json.dumps(silence))
    deliver(delivery(tmp_path, channel(receiver)), now())
    assert len(receiver.told()) == 1


def test_a_silence_is_as_long_as_it_was_meant_whatever_the_clock_says(tmp_path: Path) -> None:
    keep_silence(str(tmp_path), 60, "maintenance")
    assert silence_left(str(tmp_path)) == pytest.approx(60, abs=5)
    kept = json.loads((tmp_path / "silence").read_text())
    (tmp_path / "silence").write_text(json.dumps({**kept, "until": kept["until"] + 86400}))
    assert silence_left(str(tmp_path)) == pytest.approx(60, abs=5), "the clock was a day ahead when it was written"
    of_another_boot = {**kept, "boot": "another"}
    (tmp_path / "silence").write_text(json.dumps({**of_another_boot, "until": kept["until"] + 86400}))
    assert silence_left(str(tmp_path)) == 0, "nobody knows when it was written"
    (tmp_path / "silence").write_text(json.dumps(of_another_boot))
    assert silence_left(str(tmp_path)) == pytest.approx(60, abs=5)


def test_a_clock_set_back_keeps_nobody_waiting(receiver: Receiver, tmp_path: Path) -> None:
    deliver(delivery(tmp_path, channel(receiver)))
    kept = json.loads((tmp_path / "queue-hook").read_text())
    for not_before in (time.time() + 86400, time.time() + 4000, 1e11):
        (tmp_path / "queue-hook").write_text(
            json.dumps({**kept, "attempts": 1, "not_before": not_before, "wait": 300.0})
        )
        one = delivery(tmp_path, channel(receiver))
        assert one.waiting(Backlog([now(1)])) == 0
    deliver(one, now(1))
    assert len(receiver.told()) == 1


def test_a_queue_of_a_former_version_waits_no_longer_than_a_service_may_ask(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "queue-hook").write_text(json.dumps({"told": 0, "attempts": 1, "not_before": time.time() + 3000}))
    assert delivery(tmp_path, channel(receiver)).waiting(Backlog([now(1)])) == pytest.approx(3000, abs=5)
    (tmp_path / "queue-hook").write_text(json.dumps({"told": 0, "attempts": 1, "not_before": time.time() + 9000}))
    assert delivery(tmp_path, channel(receiver)).waiting(Backlog([now(1)])) == 0


def test_a_day_that_a_service_asks_for_is_an_hour_and_the_fallback_is_told_meanwhile(
    receiver: Receiver, tmp_path: Path
) -> None:
    receiver.answers(Route(b"slow down", 429, {"Retry-After": "86400"}))
    log = Channel("log", LogNotifier(file=str(tmp_path / "log")), DeliveryOptions())
    one = delivery(tmp_path, channel(receiver, fallback="log"), log)
    (said,) = deliver(one, now(1))
    assert "429" in said
    assert "trying again in 60 min, not in 24 h as asked; log: wrote 1 line" in said
    assert one.waiting(Backlog([now(1)])) == pytest.approx(3600, abs=5)
    one.queues["hook"].not_before = 0
    (said,) = deliver(one, now(1))
    assert "log: wrote" not in said, "once is enough"
    one = delivery(tmp_path, channel(receiver, fallback="log"), log)
    one.queues["hook"].not_before = 0
    (said,) = deliver(one, now(1))
    assert "log: wrote" not in said, "also after a restart"
    one.queues["hook"].not_before = 0
    receiver.answers(BROKEN)
    (said,) = deliver(one, now(1), now(2))
    assert said.endswith("; given up"), "the fallback knows"
    (said,) = deliver(one, now(1), now(2))
    assert "given up; log: wrote 1 line to " in said
    assert (tmp_path / "log").read_text().count("\n") == 2


def test_a_short_pause_is_kept_as_asked_and_bothers_no_fallback(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers(Route(b"slow down", 429, {"Retry-After": "200"}))
    log = Channel("log", LogNotifier(file=str(tmp_path / "log")), DeliveryOptions())
    (said,) = deliver(delivery(tmp_path, channel(receiver, fallback="log"), log), now(1))
    assert said.endswith("trying again in 3 min")
    assert not (tmp_path / "log").exists()


def test_what_grows_too_old_while_a_service_wants_to_be_left_alone_is_given_up_without_a_try(
    receiver: Receiver, tmp_path: Path
) -> None:
    receiver.answers(Route(b"slow down", 429, {"Retry-After": "3600"}))
    one = delivery(tmp_path, channel(receiver, max_age=60.0))
    event = now(1, at=time.time() - 30)
    deliver(one, event, now(2))
    assert one.waiting(Backlog([event, now(2)])) == pytest.approx(30, abs=20)
    assert deliver(one, event, now(2)) == []
    event.at -= 100
    one.queues["hook"].gives_up_at = 0.1
    (said,) = deliver(one, event, now(2))
    assert "given up" in said
    assert len(receiver.told()) == 1
    assert counted(tmp_path).dropped == {"expired": 1, "refused": 0}
    assert counted(tmp_path).delivered_up_to == 1


def full(directory: Path) -> None:
    """Whatever is written there now finds no room."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=3", "tmpfs", directory], check=True)
    (directory / "dead-letters").touch()
    (directory / "dead-letters~lock").write_bytes(bytes(4096))


def test_what_cannot_be_kept_as_a_dead_letter_is_not_given_up(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers(BROKEN)
    directory = tmp_path / "state"
    directory.mkdir()
    full(directory)
    try:
        one = delivery(directory, channel(receiver))
        said, unsaved = deliver(one, now(1))
        where = f"{directory}/dead-letters cannot be written: No space left on device"
        assert f"would be given up, but {where}; trying again in 1 s" in said
        assert unsaved == (
            f"{directory}/queue-hook cannot be written: No space left on device; "
            "if this process ends, it will be told again what it knows"
        )
        assert one.queues["hook"].delivered_up_to == 0
        assert one.queues["hook"].wait == 1
        assert one.waiting(Backlog([now(1)])) is not None
        one.queues["hook"].not_before = 0
        (said,) = deliver(one, now(1))
        assert "would be given up" in said, "that the queue cannot be kept is said once"
        (directory / "dead-letters~lock").write_bytes(b"")
        one.queues["hook"].not_before = 0
        (said, *_) = deliver(one, now(1))
        assert "given up" in said
        assert "would" not in said
        assert [letter["events"][0]["number"] for letter in dead_letters(directory)] == [1]
        assert one.queues["hook"].delivered_up_to == 1
    finally:
        subprocess.run(["umount", directory], check=True)


def test_what_grew_too_old_and_finds_no_room_is_tried_again_at_its_time(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers(Route(b"slow down", 429, {"Retry-After": "3600"}))
    directory = tmp_path / "state"
    directory.mkdir()
    full(directory)
    try:
        one = delivery(directory, channel(receiver, max_age=60.0))
        event, queue = now(1, at=time.time() - 30), one.queues["hook"]
        deliver(one, event)
        event.at -= 100
        queue.gives_up_at = 0.1
        began, began_at = time.monotonic(), time.time()
        (said,) = deliver(one, event)
        assert "would be given up" in said
        assert began + 1 <= queue.gives_up_at <= time.monotonic() + 1
        assert began_at + 1 <= queue.not_before <= time.time() + 1
        queue.gives_up_at, queue.not_before, queue.wait = queue.gives_up_at + 60, queue.not_before + 60, 61.0
        assert deliver(one, event) == [], "not ten times a second"
    finally:
        subprocess.run(["umount", directory], check=True)


def test_to_ask_what_is_pending_changes_nothing(receiver: Receiver, tmp_path: Path) -> None:
    one = channel(receiver)
    told = delivery(tmp_path, one)
    queue = told.queues["hook"]
    before = dict(vars(queue))
    backlog = Backlog([now(1, "old", at=time.time() - 90), now(2, "new")])
    for _ in range(2):
        assert [event.name for event in pending(one, queue, backlog).events] == ["new"]
        assert told.waiting(backlog) == 0
    assert vars(queue) == before
    assert list(tmp_path.iterdir()) == []


def test_without_a_directory_there_is_no_queue(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "queue-hook").write_text('{"told": 1}')
    (tmp_path / "silence").write_text(json.dumps({"until": time.time() + 60}))
    one = Delivery("node", {"hook": channel(receiver)}, "", {})
    assert one.queues["hook"].delivered_up_to is None
    assert deliver(one, now(1))
    assert json.loads((tmp_path / "queue-hook").read_text()) == {"told": 1}


def test_the_last_word_of_a_pod_keeps_to_no_rate(receiver: Receiver, tmp_path: Path) -> None:
    one = delivery(tmp_path, channel(receiver, rate=60.0))
    deliver(one, now(1))
    assert deliver(one, now(1), now(2, state="BACKUP", before="FAULT")) == []
    deliver(one, now(1), now(2, state="BACKUP", before="FAULT"), now(3, state="STOP", before="BACKUP"))
    assert len(receiver.told()) == 2


def test_attempts_without_number_break_no_backoff() -> None:
    assert 1 <= backoff(2**53) <= 300


def many(first: int, last: int) -> list[Event]:
    return [now(number, f"V{number:03d}") for number in range(first, last + 1)]


def test_who_lags_behind_the_memory_is_told_from_the_history_in_portions(receiver: Receiver, tmp_path: Path) -> None:
    everything = many(1, 100)
    backlog = Backlog(everything, lambda: everything, most_in_memory=20, most_at_once=15)
    assert len(backlog.recent) < 40
    one = delivery(tmp_path, channel(receiver))
    one.queues["hook"].mark_delivered(5)
    while one.waiting(backlog) is not None:
        time.sleep(2 * QUICK)
        list(one.deliver(backlog))
        backlog.forget(one.delivered_up_to)
    assert [name for told in receiver.told() for name in told.names] == [f"V{number:03d}" for number in range(6, 101)]
    assert max(len(told.names) for told in receiver.told()) == 15
    assert backlog.recent == []


def test_the_history_is_not_read_for_who_is_to_be_left_alone(receiver: Receiver, tmp_path: Path) -> None:
    everything = many(1, 100)
    read: list[int] = []

    def remembered() -> list[Event]:
        read.append(1)
        return everything

    receiver.answers(Route(b"slow down", 429, {"Retry-After": "3600"}))
    backlog = Backlog(everything, remembered, most_in_memory=20)
    one = delivery(tmp_path, channel(receiver))
    one.queues["hook"].mark_delivered(5)
    (_, said), *_ = one.deliver(backlog)
    assert "trying again" in said
    assert read
    read.clear()
    assert list(one.deliver(backlog)) == []
    assert read == []


def test_what_the_history_has_forgotten_before_it_was_told_is_counted_and_said(
    receiver: Receiver, tmp_path: Path
) -> None:
    everything = many(1, 100)
    backlog = Backlog(everything, lambda: everything[50:], most_in_memory=20)
    one = delivery(tmp_path, channel(receiver))
    one.queues["hook"].mark_delivered(5)
    said = [line for _, line in one.deliver(backlog)]
    assert said[0] == "45 events are not in the history any more, and were not told"
    assert counted(tmp_path).dropped["expired"] == 45
    assert receiver.told()[0].names[0] == "V051"
