"""Alertmanager notifier: fires and resolves alerts of Prometheus' Alertmanager, by its API v2."""

from __future__ import annotations

import time

from hachecks.deadline import TimedOut
from hachecks.http.url import Url
from hachecks.messages.fields import rfc3339
from hachecks.messages.not_delivered import NotDelivered
from hachecks.messages.payload import encoded
from hachecks.services.acceptance import date_of, excerpt, is_accepted, refusal
from hachecks.services.fired_alerts import FiredAlerts
from hachecks.services.http_options import JSON, HttpOptions, LoginOptions, secrets_among
from hachecks.settings import option, settings
from hachecks.units import Duration
from hachecks.verdict import in_words, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hachecks.deadline import Deadline
    from hachecks.http.response import Response
    from hachecks.messages.message import Change, Message
    from hachecks.messages.standing import Standing

ALERTS = {"FAULT": "Fault", "STOP": "Stopped"}
TEST_DURATION = 300.0
"""Seconds after which the alert of a test is resolved."""
REPEATS_AHEAD = 4
"""Intervals for which an alert lasts that is told again and again, as those of Prometheus do."""
MOST_AT_ONCE = 1000
"""Alerts that are told again in one request."""
_ahead: dict[str, float] = {}
"""Seconds by which the clock at a URL was ahead of ours when it last answered."""
LABEL_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


class Label:
    """A label that every alert has."""

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.value = value

    @classmethod
    def parse(cls, text: str) -> Label:
        """From `NAME=VALUE`; raises `ValueError`."""
        name, equals, value = text.partition("=")
        if not equals or not value or not name or not LABEL_LETTERS.issuperset(name) or name[0].isdigit():
            raise ValueError(f"{text!r} is not NAME=VALUE")
        return cls(name, value)

    def __repr__(self) -> str:
        return f"{self.name}={self.value}"


@settings
class AlertmanagerNotifier(HttpOptions, LoginOptions):
    """Fire and resolve alerts of Prometheus' Alertmanager.

    KeepalivedInstanceFault and KeepalivedInstanceStopped (KeepalivedGroup… for a group) fire while this node's instance
    is so, with the labels node, instance, vip and severity="warning"; --label severity=critical has it otherwise. The
    labels and the start of an alert are the same when it is resolved: the VIPs that it had are kept in the state
    directory meanwhile.

    Give --url for each member of a cluster: all are told, and it suffices when one takes it, as with Prometheus.

    Alertmanager expects to be told again and again while an alert fires. The agent does so each minute, and an alert
    ends four minutes after its last word. Where no agent runs a message is told once, so the alert is given an end,
    --resolve-after from now: a problem that lasts longer is forgotten then, and one during which Alertmanager loses its
    data, too. Alerting rules over the exporter's metrics can see what no single node knows: that nobody is MASTER, or
    two are. Prefer them where Prometheus reaches the nodes.
    """

    url: tuple[Url, ...] = option(default=(), metavar="URL", help="Where Alertmanager is, as in http://HOST:9093.")
    resolve_after: Duration = option(default=86400.0, help="An alert that nothing resolves ends after this time.")
    label: tuple[Label, ...] = option(default=(), metavar="NAME=VALUE", help="Give every alert this label too.")

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        if not self.url:
            raise ValueError("there is no --url")
        self.validate_http(*self.url)
        self.validate_login()

    def send(self, message: Message, deadline: Deadline) -> str:
        """Tell every member; raises `NotDelivered` where none took it."""
        fired = self._fired("" if message.test else message.state_dir)
        alerts = self._alerts(message, fired)
        if not alerts:
            return "nothing to fire or resolve"
        lasts = TEST_DURATION if message.test else self._lasts(message.repeat_interval)
        said = self._tell_all(alerts, rfc3339(time.time()), lasts, deadline)
        fired.save()
        return said

    def tell_again(self, standing: Standing, deadline: Deadline) -> str:
        """Tell every member again of what fires, and that the rest is resolved; raises `NotDelivered`."""
        fired = self._fired(standing.state_dir)
        now, lasts, alerts = time.time(), REPEATS_AHEAD * standing.interval, []
        for key, told in list(fired.told.items()):
            *subject, state = told["subject"]
            goes_on = standing.states.get((subject[0], subject[1]), state) == state
            if not goes_on:
                fired.ends(key, "")
            ends = rfc3339(now + lasts * goes_on)
            alerts.append({**told["alert"], "startsAt": min(told["alert"]["startsAt"], ends), "endsAt": ends})
        said = "nothing fires"
        for some in (alerts[at : at + MOST_AT_ONCE] for at in range(0, len(alerts), MOST_AT_ONCE)):
            said = self._tell_all(some, rfc3339(now), lasts, deadline)
        fired.save()
        return said

    def _fired(self, state_dir: str) -> FiredAlerts:
        return FiredAlerts(state_dir, " ".join(str(url.full) for url in self.url))

    def _tell_all(self, alerts: list[dict[str, Any]], now: str, lasts: float, deadline: Deadline) -> str:
        failures: list[NotDelivered] = []
        for number, url in enumerate(self.url):
            try:
                self._tell(url, alerts, now, lasts, deadline.share(len(self.url) - number))
            except TimedOut:
                late = f"{url.target} did not answer within {in_words(deadline.seconds / len(self.url))}"
                failures.append(NotDelivered(late, retryable=True))
            except NotDelivered as failure:
                failures.append(failure)
        complaints = "; ".join(map(str, failures))
        if len(failures) < len(self.url):
            count = f"{len(self.url) - len(failures)} of {len(self.url)} took {_counted(alerts)}"
            return f"{count}; {complaints}" if complaints else count
        waits = [failure.retry_after for failure in failures if failure.retryable]
        named = [wait for wait in waits if wait is not None] if None not in waits else []
        raise NotDelivered(complaints, retryable=bool(waits), retry_after=min(named, default=None))

    def _tell(self, base: Url, alerts: list[dict[str, Any]], now: str, lasts: float, deadline: Deadline) -> None:
        """Tell a member what has ended by `now`, and what fires for so many seconds; again where its clock differs.

        It takes an end ahead of its clock for an announcement, and keeps the latest end of all that it was told
        (types.Alert's Merge): the alert would fire for a day. One that ends before its clock never fires.
        """
        began = time.time()
        ends = rfc3339(began + _ahead.get(base.full, 0.0) + lasts)
        told = [{**alert, "endsAt": ends} if alert["endsAt"] > now else alert for alert in alerts]
        date = date_of(self._post(base, told, deadline))
        if date is not None:
            _ahead[base.full] = max(0.0, date - began)
            again = [dated for alert in told if (dated := _dated(alert, now, lasts, date)) != alert]
            if again:
                self._post(base, again, deadline)

    def _post(self, base: Url, alerts: list[dict[str, Any]], deadline: Deadline) -> Response:
        url = Url(base.scheme, base.host, base.port, f"{base.path.rstrip('/')}/api/v2/alerts")
        headers = self.login_headers()
        response = self.ask(url, deadline, [JSON, *headers], encoded(alerts))
        if not is_accepted(response):
            raise refusal(response, str(url.target), excerpt(response, secrets_among(headers)))
        return response

    def _alerts(self, message: Message, fired: FiredAlerts) -> list[dict[str, Any]]:
        """What begins to fire, and what is resolved; of the same alert the last word only."""
        alerts: dict[tuple[str, str, str], dict[str, Any]] = {}
        now = time.time()
        for change in message.changes:
            carried = ",".join(change.vips)
            for event in change.events:
                if event.before in ALERTS and event.before != event.state and event.since is not None:
                    vips = fired.ends(f"{message.node} {change.kind} {change.name} {event.before}", carried)
                    alert = self._alert(message, change, event.before, vips, min(event.since, now), min(event.at, now))
                    alerts[change.kind, change.name, event.before] = alert
                if event.state in ALERTS:
                    began = event.since if event.before == event.state and event.since is not None else event.at
                    ends = now + (TEST_DURATION if message.test else self._lasts(message.repeat_interval))
                    key = f"{message.node} {change.kind} {change.name} {event.state}"
                    vips = fired.fires(key, carried, again=event.before == event.state)
                    alert = self._alert(message, change, event.state, vips, min(began, now), ends)
                    alerts[change.kind, change.name, event.state] = alert
                    fired.remember(key, (change.kind, change.name, event.state), alert)
        return list(alerts.values())

    def _lasts(self, repeat_interval: float) -> float:
        """Seconds for which an alert is to last that is told again at such intervals, or never."""
        return REPEATS_AHEAD * repeat_interval if repeat_interval else self.resolve_after

    def _alert(
        self, message: Message, change: Change, state: str, vips: str, began: float, ends: float
    ) -> dict[str, Any]:
        name = "KeepalivedTest" if message.test else f"Keepalived{change.kind.capitalize()}{ALERTS[state]}"
        labels = {
            "alertname": name,
            "node": message.node,
            "instance": change.name,
            "vip": vips,
            "severity": "warning",
            **{label.name: label.value for label in self.label},
        }
        summary = visible(f"{change.label} is {state} on {message.node}")
        annotations = {"summary": summary, "description": str(change)}
        return {
            "labels": {name: value for name, value in labels.items() if value},
            "annotations": annotations,
            # A clock that was set back dates the end before the beginning: Alertmanager refuses that for ever.
            "startsAt": rfc3339(min(began, ends)),
            "endsAt": rfc3339(ends),
        }


def _dated(alert: dict[str, Any], now: str, lasts: float, date: float) -> dict[str, Any]:
    """The alert by a clock that shows `date`, in whole seconds, where it may understand it otherwise."""
    past, ahead = rfc3339(date), rfc3339(date + 1)
    if alert["endsAt"] > now:
        return alert if alert["endsAt"] > ahead else {**alert, "endsAt": rfc3339(date + 1 + lasts)}
    if alert["endsAt"] < past:
        return alert
    starts = min(alert["startsAt"], ahead)
    return {**alert, "startsAt": starts, "endsAt": max(starts, past)}


def _counted(alerts: list[dict[str, Any]]) -> str:
    return "1 alert" if len(alerts) == 1 else f"{len(alerts)} alerts"
