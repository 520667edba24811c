"""`hacheck status`: whether every VIP is where Keepalived says, from a look of its own or an exporter's."""

from __future__ import annotations

import json
import time

from hachecks.deadline import Deadline, TimedOut
from hachecks.http.url import Url
from hachecks.messages.not_delivered import NotDelivered
from hachecks.node import PORT, Node, NodeOptions
from hachecks.registry import Entry
from hachecks.services.http_options import HttpOptions, LoginOptions, get
from hachecks.settings import option, settings
from hachecks.units import Duration
from hachecks.verdict import in_words, one_line, visible

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
    http://127.0.0.1:10112/.
    """

    url: Url | None = option(default=None, metavar="URL", help="Ask the exporter at http://HOST:10112/.")
    watch: bool = option(default=False, help="Go on telling until interrupted.")
    every: Duration = option(default=2.0, help="How often --watch looks.")
    timeout: Duration = option(default=5.0, help="An exporter answers within this time.")
    format: Literal["text", "json"] = option(default="text", help="A table for people, or the exporter's document.")

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        self.validate_login()
        if self.url is not None:
            self.validate_http(self.url)

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Tell the status, once or for as long as somebody watches; returns whether all agrees."""
        while True:
            agrees = _show_once(self, environ, output.say)
            if not self.watch:
                return agrees
            time.sleep(self.every)

    def fetch(self, url: Url) -> dict[str, Any]:
        """The document of the exporter at this URL, within `timeout`; raises `NotDelivered`."""
        where = Url(url.scheme, url.host, url.port, f"{url.path.rstrip('/')}/api/status")
        try:
            status, body = _client()(self, where, self.login_headers(), Deadline.after(self.timeout), MOST_BYTES)
            found = json.loads(body) if status == 200 else None
        except TimedOut:
            raise NotDelivered(f"{where} gave no answer within {in_words(self.timeout)}", retryable=True) from None
        except ValueError:
            found = None
        if not isinstance(found, dict) or "vips" not in found:
            raise NotDelivered(f"{where} answered {status} with what is no status of an exporter", retryable=True)
        return found


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
        text = json.dumps(found, ensure_ascii=False) if options.format == "json" else "\n".join(table(found))
        agrees = bool(found["agrees"])
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        tell(f"UNKNOWN - {options.url} answered with what is no status of an exporter; is it one, of this version?")
        return False
    tell(f"{CLEAR}{text}" if options.watch and options.format == "text" else text)
    return agrees


def _found(options: StatusOptions, environ: Mapping[str, str]) -> dict[str, Any]:
    if options.url is not None:
        return options.fetch(options.url)
    try:
        look = LOOKER.load()
    except ImportError:  # the executable has no room for what it needs
        return options.fetch(Url("http", "127.0.0.1", PORT, "/"))
    found: dict[str, Any] = look(Node(options, environ))
    return found


def table(found: Mapping[str, Any]) -> Iterator[str]:
    """The document as lines for people, worst first."""
    yield visible(f"{found['node']}: {headline(found)}")
    yield from (f"! {_cell(sentence)}" for sentence in found["disagreements"])
    troubles = [f"{one['source']}: {one['trouble']}" for one in found["sources"] if one["trouble"]]
    sentences = (*found["hints"], *found.get("findings", ()), *troubles)
    yield from (f"? {_cell(sentence)}" for sentence in sentences)
    now = found["at"]
    rows = [_vip(vip, now) for vip in found["vips"]] + [_alone(one, now) for one in _without_vips(found)]
    if rows:
        yield ""
        yield from _aligned(("VIP", "INSTANCE", "ON", "KEEPALIVED SAYS", "FOR", ""), rows)
    if found["checks"]:
        yield ""
        yield from _aligned(("CHECK", "VERDICT", "AGO", ""), [_check(check, now) for check in found["checks"]])
    if found["notifiers"]:
        yield ""
        rows = [(one["notifier"], str(one["waiting"]), one["trouble"]) for one in found["notifiers"]]
        yield from _aligned(("NOTIFIER", "WAITING", ""), rows)


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


def _cell(cell: object) -> str:
    return one_line(visible(str(cell)))


def _ago(at: float | None, now: float) -> str:
    return "-" if at is None else in_words(max(0.001, now - at))


def _aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    shown = [heads, *([_cell(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(heads) - 1)]
    for row in shown:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]]).rstrip()
