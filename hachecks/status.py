"""`hacheck status`: whether every VIP is where Keepalived says, from a look of its own or an exporter's."""

from __future__ import annotations

import json
import time

from hachecks.deadline import Deadline, TimedOut
from hachecks.group import answer, words
from hachecks.group.asking import MOST_AT_ONCE, ask
from hachecks.group.table import aligned, cell, lines
from hachecks.http.url import Url
from hachecks.messages.not_delivered import NotDelivered
from hachecks.node import PORT, Node, NodeOptions
from hachecks.registry import Entry
from hachecks.services.http_options import HttpOptions, LoginOptions, get
from hachecks.settings import option, settings
from hachecks.units import Duration
from hachecks.verdict import in_words, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, Literal

    from hachecks.http.headers import Header
    from hachecks.registry import Output

LOOKER = Entry("hachecks.exporter.once:look", "a look at this node, which needs hachecks[agent]")
CLIENT = Entry("hachecks.client:get", "httpx over our exchange, which needs hachecks[agent]")
MOST_BYTES = 64 * 1024 * 1024
CLEAR = "\x1b[H\x1b[2J"


@settings
class StatusOptions(NodeOptions, HttpOptions, LoginOptions):
    """Tell whether every VIP is where Keepalived says.

    Exit status 0 when all agrees, 1 when something does not or is not known, or Keepalived does not run. Without --url
    it looks at this node by itself where the package hachecks[agent] is installed, and else asks the exporter at
    http://127.0.0.1:10112/. With several --url it tells of all these nodes together: exit status 0 when each VIP is
    served once, none of them is silent, and each says that all agrees.
    """

    url: tuple[Url, ...] = option(
        default=(),
        metavar="URL",
        help="Ask the agent or exporter at http://HOST:10112/; several times for the nodes of a group.",
    )
    watch: bool = option(default=False, help="Go on telling until interrupted.")
    every: Duration = option(default=2.0, help="How often --watch looks.")
    timeout: Duration = option(default=5.0, help="An exporter answers within this time.")
    format: Literal["text", "json"] = option(default="text", help="A table for people, or the exporter's document.")

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        self.validate_login()
        if self.url:
            self.validate_http(*self.url)
        if len(self.url) > MOST_AT_ONCE:
            raise ValueError(f"--url may be given {MOST_AT_ONCE} times")

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Tell the status, once or for as long as somebody watches; returns whether all agrees."""
        while True:
            several = len(self.url) > 1
            agrees = _show_group(self, output.say) if several else _show_once(self, environ, output.say)
            if not self.watch:
                return agrees
            time.sleep(self.every)

    def getter(self, most_bytes: int) -> Callable[[Url], tuple[int, bytes]]:
        """What gets a URL within `timeout` from now; it raises `NotDelivered` or `TimedOut`."""
        get_url, headers, deadline = _client(), self.login_headers(), Deadline.after(self.timeout)
        return lambda url: get_url(self, url, headers, deadline, most_bytes)

    def fetch(self, url: Url) -> dict[str, Any]:
        """The document of the exporter at this URL, within `timeout`; raises `NotDelivered`."""
        where = Url(url.scheme, url.host, url.port, f"{url.path.rstrip('/')}/api/status")
        try:
            status, body = self.getter(MOST_BYTES)(where)
            found = json.loads(body) if status == 200 else None
        except TimedOut:
            raise NotDelivered(f"{where} gave no answer within {in_words(self.timeout)}", retryable=True) from None
        except ValueError:
            found = None
        if not isinstance(found, dict) or "vips" not in found:
            raise NotDelivered(f"{where} answered {status} with what is no status of an exporter", retryable=True)
        return found


def _show_group(options: StatusOptions, tell: Callable[[str], None]) -> bool:
    try:
        options.login_headers()
    except NotDelivered as failure:
        tell(f"UNKNOWN - {failure}")
        return False
    group = ask(options.url, lambda: options.getter(answer.MOST_BYTES))
    _tell(options, words.document(group), lines(group), tell)
    return group.well


def _client() -> Callable[[HttpOptions, Url, Sequence[Header], Deadline, int], tuple[int, bytes]]:
    """Who gets a URL: httpx, or where it is not installed, and in the executable, the exchange that it stands on."""
    try:
        return CLIENT.load()  # type: ignore[no-any-return]
    except ImportError:
        return get


def _show_once(options: StatusOptions, environ: Mapping[str, str], tell: Callable[[str], None]) -> bool:
    try:
        found = _found(options, environ)
    except NotDelivered as failure:
        tell(f"UNKNOWN - {failure}; is the exporter there? (hacheck exporter, or --url)")
        return False
    try:
        agrees = bool(found["agrees"])
        _tell(options, found, table(found), tell)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        who = options.url[0] if options.url else "it"
        tell(f"UNKNOWN - {who} answered with what is no status of an exporter; is it one, of this version?")
        return False
    return agrees


def _tell(options: StatusOptions, found: Mapping[str, Any], table: Iterator[str], tell: Callable[[str], None]) -> None:
    """Tell the document or the table, as it is wanted; what cannot be made is raised before anything is told."""
    text = json.dumps(found, ensure_ascii=False) if options.format == "json" else "\n".join(table)
    tell(f"{CLEAR}{text}" if options.watch and options.format == "text" else text)


def _found(options: StatusOptions, environ: Mapping[str, str]) -> dict[str, Any]:
    if options.url:
        return options.fetch(options.url[0])
    try:
        look = LOOKER.load()
    except ImportError:  # the executable has no room for what it needs
        return options.fetch(Url("http", "127.0.0.1", PORT, "/"))
    found: dict[str, Any] = look(Node(options, environ))
    return found


def table(found: Mapping[str, Any]) -> Iterator[str]:
    """The document as lines for people, worst first."""
    yield visible(f"{found['node']}: {headline(found)}")
    yield from (f"! {cell(sentence)}" for sentence in found["disagreements"])
    troubles = [f"{one['source']}: {one['trouble']}" for one in found["sources"] if one["trouble"]]
    sentences = (*found["hints"], *found.get("findings", ()), *troubles)
    yield from (f"? {cell(sentence)}" for sentence in sentences)
    now = found["at"]
    rows = [_vip(vip, now) for vip in found["vips"]] + [_alone(one, now) for one in _without_vips(found)]
    if rows:
        yield ""
        yield from aligned(("VIP", "INSTANCE", "ON", "KEEPALIVED SAYS", "FOR", ""), rows)
    if found["checks"]:
        yield ""
        yield from aligned(("CHECK", "VERDICT", "AGO", ""), [_check(check, now) for check in found["checks"]])
    if found["notifiers"]:
        yield ""
        rows = [(one["notifier"], str(one["waiting"]), one["trouble"]) for one in found["notifiers"]]
        yield from aligned(("NOTIFIER", "WAITING", ""), rows)


def headline(found: Mapping[str, Any]) -> str:
    """All of it in one sentence, with what is not well beside."""
    but = ", ".join(found.get("but", ()))
    return f"{found.get('headline') or _short_headline(found)}{f' ({but})' if but else ''}"


def _short_headline(found: Mapping[str, Any]) -> str:
    """What the document of an older exporter comes to, which has no headline."""
    wrong = sum(bool(vip["trouble"]) for vip in found["vips"])
    if wrong:
        return f"{wrong} of {len(found['vips'])} VIPs {'is' if wrong == 1 else 'are'} not where Keepalived says"
    return "All is where Keepalived says" if found["agrees"] else "Not known: whether all is where Keepalived says"


def _without_vips(found: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The instances that have none, which a document of an older exporter names, too."""
    with_vips = {vip["vrrp_instance"] for vip in found["vips"]}
    return [one for one in found["instances"] if one["vrrp_instance"] not in with_vips]


def _alone(instance: Mapping[str, Any], now: float) -> tuple[str, ...]:
    return "-", instance["vrrp_instance"], "-", instance["state"], _ago(instance["since"], now), instance["why"]


def _vip(vip: Mapping[str, Any], now: float) -> tuple[str, ...]:
    there = ", ".join(vip["present_on"]) or ("?" if vip["present"] is None else "-")
    return vip["vip"], vip["vrrp_instance"], there, vip["state"], _ago(vip["since"], now), vip["why"]


def _check(check: Mapping[str, Any], now: float) -> tuple[str, ...]:
    return check["check"], check["status"] or "-", _ago(check["at"], now), check["reason"]


def _ago(at: float | None, now: float) -> str:
    return "-" if at is None else in_words(max(0.001, now - at))
