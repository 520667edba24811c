"""Slack shows what happened, within its limits, once for each message, and its refusals are understood."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from hachecks.deadline import Deadline
from hachecks.http.url import Url
from hachecks.messages.not_delivered import NotDelivered
from hachecks.notifiers.slack import SlackNotifier
from hachecks.services.slack_blocks import content, remembered
from tests.cli import hacheck
from tests.events import AT, event, message, messages, storm
from tests.notifier_contracts import Contract
from tests.receivers import SlackApi, SlackWebhook, said, slack_complaint
from tests.servers import Route

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from hachecks.messages.message import Message

CONTRACTS = {
    "slack": Contract(
        "slack",
        lambda url: {"url": f"{url}/services/T00000000/B00000000/S3CRET-hook-7"},
        ("S3CRET-hook-7",),
        Route(b"ok"),
        needs_body=True,
    ),
    "slack-app": Contract(
        "slack",
        lambda url: {"api": f"{url}/api", "channel": "C1", "token": "xoxb-S3CRET-token-8"},
        ("S3CRET-token-8",),
        said({"ok": True, "channel": "C1", "ts": "1700000000.000001"}),
        needs_body=True,
    ),
}
BASES = ("--url-file /f", "--url-file /f --proxy http://p:1", "--token-file /f --channel C1", "--channel C1", "")


@pytest.fixture
def webhook() -> Iterator[SlackWebhook]:
    with SlackWebhook() as server:
        yield server


@pytest.fixture
def slack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackApi]:
    monkeypatch.setenv("HACHECK_STATE_DIR", str(tmp_path))
    with SlackApi() as server:
        yield server


def by_webhook(url: str) -> SlackNotifier:
    return SlackNotifier(url=Url.parse(url))


def as_app(slack: SlackApi, **more: Any) -> SlackNotifier:
    return SlackNotifier(api=Url.parse(f"{slack.url}/api"), channel=slack.channel, token=slack.token, **more)


def send(notifier: SlackNotifier, told: Message) -> str:
    return notifier.send(told, Deadline.after(30))


def refused(notifier: SlackNotifier, told: Message) -> NotDelivered:
    with pytest.raises(NotDelivered) as raised:
        send(notifier, told)
    return raised.value


def shown(document: dict[str, Any]) -> str:
    """What a person sees."""
    texts = [block["text"]["text"] for block in document["blocks"] if "text" in block]
    texts += [element["text"] for block in document["blocks"] for element in block.get("elements", ())]
    return "\n".join(texts).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def test_a_webhook_is_told_with_blocks_and_a_fallback_text(webhook: SlackWebhook) -> None:
    assert send(by_webhook(webhook.hook), message(why="tcp 10.0.0.9:80 <refused> & closed")) == (
        f"127.0.0.1:{webhook.port} answered ok"
    )
    (document,) = webhook.documents
    assert "VI_1 is FAULT on node-1" in document["text"]
    assert "tcp 10.0.0.9:80 <refused> & closed" in shown(document)
    assert "&lt;refused&gt; &amp; closed" in document["text"]


def test_a_storm_of_255_is_one_message_that_names_them_all(webhook: SlackWebhook) -> None:
    send(by_webhook(webhook.hook), storm())
    (document,) = webhook.documents
    assert "255 instances changed: 255 FAULT" in shown(document)
    assert "VI_1 (10.0.0.1)" in shown(document)
    assert "VI_255 (10.0.0.255)" in shown(document)


def test_what_does_not_fit_is_counted() -> None:
    document = content(storm(1000))
    assert slack_complaint(document) == ""
    (left_out,) = [line for line in shown(document).splitlines() if line.startswith("… and")]
    assert 1000 - int(left_out.split()[2]) == shown(document).count("VI_")


@settings(max_examples=150, deadline=None)
@given(messages())
def test_any_message_is_within_limits_and_escaped(told: Message) -> None:
    for document in (content(told), content(told, ["x & y" * 1000], [remembered(told)] * 9)):
        assert slack_complaint(json.loads(json.dumps(document))) == ""


@pytest.mark.parametrize(
    ("status", "body", "again"),
    [
        pytest.param(400, "invalid_payload", False, id="400 invalid_payload"),
        pytest.param(400, "user_not_found", False, id="400 user_not_found"),
        pytest.param(400, "invalid_token", False, id="400 invalid_token"),
        pytest.param(403, "action_prohibited", False, id="403 action_prohibited"),
        pytest.param(404, "channel_not_found", False, id="404 channel_not_found"),
        pytest.param(404, "no_service", False, id="404 no_service"),
        pytest.param(410, "channel_is_archived", False, id="410 channel_is_archived"),
        pytest.param(500, "rollup_error", True, id="500 rollup_error"),
        pytest.param(200, "no_text", True, id="200 but not ok"),
        pytest.param(200, "<html>Please log in to Wi-Fi</html>", True, id="200 from a portal"),
        pytest.param(200, '{"ok":false,"error":"invalid_auth"}', False, id="200 ok false"),
        pytest.param(200, '{"ok":false,"error":"internal_error"}', True, id="200 ok false for now"),
    ],
)
def test_each_refusal_of_a_webhook_is_understood(webhook: SlackWebhook, status: int, body: str, again: bool) -> None:
    webhook.first = [Route(body.encode(), status)]
    failure = refused(by_webhook(webhook.hook), message())
    assert failure.retryable is again
    assert str(failure).startswith(f"127.0.0.1:{webhook.port} answered {status}")


def test_a_removed_webhook_is_explained(webhook: SlackWebhook) -> None:
    failure = refused(by_webhook(webhook.hook + "x"), message())
    assert not failure.retryable
    assert str(failure).endswith("answered 403: invalid_token (the webhook was removed or disabled; make a new one)")


def test_the_rate_limit_is_waited_for_as_long_as_slack_says() -> None:
    with SlackWebhook(burst=2, interval=4) as webhook:
        notifier = by_webhook(webhook.hook)
        send(notifier, message())
        send(notifier, message())
        failure = refused(notifier, message())
        assert (failure.retryable, failure.retry_after) == (True, 4.0)
        assert failure.retry_after is not None
        time.sleep(failure.retry_after)
        send(notifier, message())


def test_a_rotated_webhook_is_used_at_the_next_message(webhook: SlackWebhook, tmp_path: Path) -> None:
    file = tmp_path / "hook"
    file.write_text(f"{webhook.url}/services/T0/B0/former-secret\n")
    notifier = SlackNotifier(url_file=str(file))
    assert not refused(notifier, message()).retryable
    file.write_text(f"{webhook.hook}\n")
    send(notifier, message())
    file.unlink()
    failure = refused(notifier, message())
    assert failure.retryable
    assert str(failure) == f"cannot read {file}: No such file or directory"


def test_an_app_posts_to_its_channel(slack: SlackApi) -> None:
    assert send(as_app(slack), message()) == "posted to C024BE91L"
    assert len(slack.posted) == 1


@pytest.mark.parametrize(
    ("error", "again"),
    [
        pytest.param("ratelimited", True, id="ratelimited"),
        pytest.param("internal_error", True, id="internal_error"),
        pytest.param("fatal_error", True, id="fatal_error"),
        pytest.param("request_timeout", True, id="request_timeout"),
        pytest.param("service_unavailable", True, id="service_unavailable"),
        pytest.param("invalid_auth", False, id="invalid_auth"),
        pytest.param("not_in_channel", False, id="not_in_channel"),
        pytest.param("an_error_of_tomorrow", False, id="unknown"),
    ],
)
def test_ok_false_is_an_error_of_the_api(slack: SlackApi, error: str, again: bool) -> None:
    slack.first = [said({"ok": False, "error": error}, Retry_After="30")]
    failure = refused(as_app(slack), message())
    assert (failure.retryable, error in str(failure)) == (again, True)


def fault(*names: str, at: float, number: int = 1) -> Message:
    return message(*(event(name, "FAULT", number=number + n, at=at) for n, name in enumerate(names)))


def recovery(*names: str, at: float, number: int = 100) -> Message:
    events = (event(name, "BACKUP", "FAULT", number=number + n, at=at, since=at - 60) for n, name in enumerate(names))
    return message(*events)


def test_a_recovery_is_put_into_the_thread_of_the_problem(slack: SlackApi) -> None:
    now = time.time()
    send(as_app(slack, thread="yes"), fault("VI_1", "VI_2", "VI_3", at=now))
    assert send(as_app(slack, thread="yes"), recovery("VI_1", at=now)) == "replied in C024BE91L"
    first, reply = slack.posted.items()
    assert reply[1]["thread_ts"] == first[0]
    assert reply[1]["reply_broadcast"] is False
    assert "Not recovered: VI_2, VI_3" in shown(reply[1])


def test_what_gets_worse_is_shown_in_the_channel_too(slack: SlackApi) -> None:
    now = time.time()
    notifier = as_app(slack, thread="yes")
    send(notifier, fault("VI_1", at=now))
    send(notifier, recovery("VI_1", at=now))
    send(notifier, fault("VI_1", at=now, number=200))
    assert [posted.get("reply_broadcast") for posted in slack.posted.values()] == [None, False, True]


def test_a_message_about_another_instance_begins_its_own_thread(slack: SlackApi) -> None:
    now = time.time()
    notifier = as_app(slack, thread="yes")
    send(notifier, fault("VI_1", at=now))
    send(notifier, fault("VI_1", "VI_2", at=now, number=200))
    assert ["thread_ts" in posted for posted in slack.posted.values()] == [False, False]


def test_the_next_problem_after_a_while_begins_a_new_thread(slack: SlackApi) -> None:
    long_ago = time.time() - 7200
    notifier = as_app(slack, thread="yes")
    send(notifier, fault("VI_1", at=long_ago))
    send(notifier, recovery("VI_1", at=long_ago))
    send(notifier, fault("VI_1", at=time.time(), number=200))
    assert ["thread_ts" in posted for posted in slack.posted.values()] == [False, True, False]


def test_a_problem_that_lasts_is_followed_up_however_late(slack: SlackApi) -> None:
    notifier = as_app(slack, thread="yes")
    send(notifier, fault("VI_1", at=time.time() - 7200))
    assert send(notifier, recovery("VI_1", at=time.time())) == "replied in C024BE91L"


def test_a_recovery_edits_the_message_and_keeps_what_it_said(slack: SlackApi) -> None:
    now = time.time()
    notifier = as_app(slack, thread="edit")
    send(notifier, fault("VI_1", "VI_2", at=now))
    assert send(notifier, recovery("VI_1", at=now)) == "edited a message in C024BE91L"
    ((_, document),) = slack.posted.items()
    assert "VI_1 (10.0.0.1): BACKUP, was FAULT for 60 s" in shown(document)
    assert "Not recovered: VI_2" in shown(document)
    assert "critical: 2 instances changed: 2 FAULT" in shown(document)


def test_what_gets_worse_is_never_hidden_in_an_edit(slack: SlackApi) -> None:
    notifier = as_app(slack, thread="edit")
    send(notifier, fault("VI_1", at=time.time()))
    send(notifier, fault("VI_1", at=time.time(), number=200))
    assert len(slack.posted) == 2


@pytest.mark.parametrize("thread", ["yes", "edit"])
def test_a_deleted_message_is_replaced_by_a_new_one(slack: SlackApi, thread: str) -> None:
    notifier = as_app(slack, thread=thread)
    send(notifier, fault("VI_1", at=time.time()))
    slack.posted.clear()
    assert send(notifier, recovery("VI_1", at=time.time())) == "posted to C024BE91L"
    assert len(slack.posted) == 1


@pytest.mark.parametrize("thread", ["yes", "edit"])
def test_what_was_posted_already_is_not_posted_again(slack: SlackApi, thread: str) -> None:
    told = fault("VI_1", at=time.time())
    send(as_app(slack, thread=thread), told)
    assert send(as_app(slack, thread=thread), told) == "C024BE91L has it already"
    assert len(slack.posted) == 1


def test_a_damaged_memory_costs_the_thread_only(slack: SlackApi, tmp_path: Path) -> None:
    notifier = as_app(slack, thread="yes")
    send(notifier, fault("VI_1", at=time.time()))
    (kept,) = tmp_path.glob("slack-*")
    kept.write_text("[{")
    send(notifier, recovery("VI_1", at=time.time()))
    assert ["thread_ts" in posted for posted in slack.posted.values()] == [False, False]


def test_a_thread_that_was_not_kept_costs_a_follow_up(slack: SlackApi, tmp_path: Path) -> None:
    for told in (
        fault("VI_1", at=time.time()),
        fault("VI_2", at=time.time(), number=7),
        recovery("VI_2", at=time.time()),
    ):
        send(as_app(slack, thread="yes"), told)
        (kept,) = tmp_path.glob("slack-*")
        kept.unlink()
    assert ["thread_ts" in posted for posted in slack.posted.values()] == [False, False, False]


def test_a_test_message_leaves_no_thread(slack: SlackApi, tmp_path: Path) -> None:
    assert send(as_app(slack, thread="yes"), message(test=True)) == "posted to C024BE91L"
    assert "[test] critical: VI_1 is FAULT on node-1" in shown(*slack.posted.values())
    assert not list(tmp_path.glob("slack-*"))


def test_a_possible_repetition_says_so(webhook: SlackWebhook) -> None:
    send(by_webhook(webhook.hook), message(possible_duplicate=True))
    assert "possibly sent before" in shown(webhook.documents[0])


def test_the_time_is_shown_in_the_readers_own(webhook: SlackWebhook) -> None:
    send(by_webhook(webhook.hook), message())
    assert f"<!date^{int(AT)}^{{date_short_pretty}} {{time_secs}}|2026-11-22T17:00:00.250Z>" in shown(
        webhook.documents[0]
    )


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        pytest.param({}, "there is no URL: put it in a file and give --url-file FILE", id="nothing"),
        pytest.param({"url_file": "F", "token": "T"}, "--token-file and --thread need --channel", id="token"),
        pytest.param({"url_file": "F", "thread": "yes"}, "--token-file and --thread need --channel", id="thread"),
        pytest.param({"channel": "C", "url_file": "F"}, "--channel and --url-file exclude each other", id="both"),
        pytest.param(
            {"channel": "C"},
            "--channel needs the app's token: put it in a file and give --token-file FILE",
            id="no token",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match="^" + complaint.replace("(", r"\(") + "$"):
        SlackNotifier(**given)


def test_the_command_line_tests_a_webhook(webhook: SlackWebhook, tmp_path: Path) -> None:
    file = tmp_path / "hook"
    file.write_text(webhook.hook)
    done = hacheck("notify", "--test", "slack", "--url-file", file)
    assert (done.code, done.err) == (0, "")
    assert done.out.rstrip().endswith(f": 127.0.0.1:{webhook.port} answered ok")
    assert "[test]" in shown(webhook.documents[0])
