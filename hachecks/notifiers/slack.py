"""Slack notifier: posts to a channel, through a webhook or as an app."""

from __future__ import annotations

from hachecks.http.headers import Header
from hachecks.http.url import Url
from hachecks.messages.message import Severity
from hachecks.messages.payload import encoded
from hachecks.services.http_options import HookOptions, secret_in, secrets_among, secrets_in
from hachecks.services.slack_blocks import content, remembered
from hachecks.services.slack_response import Unchangeable, judge_api, judge_webhook
from hachecks.services.slack_threads import Thread, Threads
from hachecks.settings import option, settings
from hachecks.units import Duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from hachecks.deadline import Deadline
    from hachecks.messages.message import Message

JSON = Header("Content-Type", "application/json; charset=utf-8")
API = Url("https", "slack.com", 443, "/api")


@settings
class SlackNotifier(HookOptions):
    """Post to a channel of Slack, through a webhook or as an app.

    A storm becomes one message: what became of how many, and as many names as fit. With an incoming webhook
    (--url-file) Slack gives nothing to refer to later, so that every message stands alone.

    With an app's token (--channel and --token-file; the scope is chat:write) a message that tells only of instances
    which an earlier one told of may follow it up: in its thread, or by editing it. What got worse is shown in the
    channel all the same, since nobody is told of replies and edits. Which message that was is kept in the state
    directory.

    Slack cannot tell that it has a message already, so one may come twice when a sender dies in between; the second
    says so. Not more than one message a second is taken: leave --rate as it is.
    """

    channel: str | None = option(default=None, metavar="ID", help="Post as an app to this channel, as in C024BE91L.")
    token: str | None = option(default=None, secret=True, metavar="TOKEN", help="The app's token (xoxb-…).")
    token_file: str | None = option(
        default=None, metavar="FILE", help="The app's token is in this file, which is read again for each message."
    )
    thread: Literal["no", "yes", "edit"] = option(
        default="no", help="Put a follow-up into the thread of the first message, or edit that."
    )
    thread_time: Duration = option(
        default=3600.0, help="When all has recovered, a message no longer follows up one that is older than this."
    )
    api: Url = option(default=API, metavar="URL", help="Where Slack's API is.")

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        if self.channel is None:
            if self.token is not None or self.token_file is not None or self.thread != "no":
                raise ValueError("--token-file and --thread need --channel")
            return self.validate_hook()
        if self.url is not None or self.url_file is not None:
            raise ValueError("--channel and --url-file exclude each other")
        if (self.token is None) == (self.token_file is None):
            raise ValueError("--channel needs the app's token: put it in a file and give --token-file FILE")
        return self.validate_http(self.api)

    def send(self, message: Message, deadline: Deadline) -> str:
        """Post it, or put it to what it follows up."""
        if self.channel is not None:
            return self._send_as_app(message, self.channel, deadline)
        hook = self.hook()
        response = self.ask(hook, deadline, [JSON], encoded(content(message)))
        judge_webhook(response, str(hook.target), secrets_in(hook))
        return f"{hook.target} answered ok"

    def _send_as_app(self, message: Message, channel: str, deadline: Deadline) -> str:
        if self.thread == "no" or message.test:
            self._call("chat.postMessage", {"channel": channel, **content(message)}, deadline)
            return f"posted to {channel}"
        threads = Threads(message.state_dir, self.api.full, channel)
        if threads.has(message.key):
            return f"{channel} has it already"
        first = threads.followed_up_by(message, self.thread_time)
        if first is not None:
            try:
                return self._follow_up(message, first, threads, deadline)
            except Unchangeable:
                threads.forget(first)
        return self._begin(message, channel, threads, deadline)

    def _begin(self, message: Message, channel: str, threads: Threads, deadline: Deadline) -> str:
        """Post a message that others may follow up."""
        posted = self._call("chat.postMessage", {"channel": channel, **content(message)}, deadline)
        thread = Thread.started(str(posted.get("ts", "")), str(posted.get("channel", channel)))
        thread.add(message, remembered(message))
        if thread.ts:
            threads.keep(thread)
        return f"posted to {channel}"

    def _follow_up(self, message: Message, first: Thread, threads: Threads, deadline: Deadline) -> str:
        still_open = first.still_open(message)
        got_worse = message.severity > Severity.info
        if self.thread == "edit" and got_worse:
            return self._begin(message, first.channel, threads, deadline)
        notices = [f"Not recovered: {', '.join(still_open)}"] if still_open and not got_worse else []
        if self.thread == "edit":
            changed = content(message, notices, first.earlier)
            self._call("chat.update", {"channel": first.channel, "ts": first.ts, **changed}, deadline)
            done = f"edited a message in {first.channel}"
        else:
            reply = {"channel": first.channel, "thread_ts": first.ts, "reply_broadcast": got_worse}
            self._call("chat.postMessage", {**reply, **content(message, notices)}, deadline)
            done = f"replied in {first.channel}"
        first.add(message, remembered(message))
        threads.keep(first)
        return done

    def _call(self, method: str, arguments: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
        """Call a method of Slack's API; raises `NotDelivered`, `Unchangeable` among them, or `TimedOut`."""
        token = secret_in(self.token_file) if self.token_file else self.token
        headers = [JSON, Header("Authorization", f"Bearer {token}")]
        base = self.api
        url = Url(base.scheme, base.host, base.port, f"{base.path.rstrip('/')}/{method}")
        response = self.ask(url, deadline, headers, encoded(arguments))
        return judge_api(response, str(url.target), secrets_among(headers[1:]))
