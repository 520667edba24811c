"""The status page: what an engineer sees at three in the morning of this node's VIPs, the worst first.

What stands where is in page.html, a jinja2 template that escapes all that it is given; here is what it is given.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from collections import Counter
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from hachecks.exporter import timeline
from hachecks.exporter.consistency import headline
from hachecks.group import words
from hachecks.verdict import in_words, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import Template

    from hachecks.exporter.view import Instance, View, Vip

HERE = Path(__file__).parent
STYLE = (HERE / "page.css").read_text(encoding="utf-8")
SCRIPT = (HERE / "page.js").read_text(encoding="utf-8")
BUILD = hashlib.sha256(f"{STYLE}{SCRIPT}".encode()).hexdigest()[:12]
"""What an open page compares: a page of an older release loads itself anew."""
UNFOLDED = 8
"""Sentences of a panel that are shown at once; more are folded."""
WORST_FIRST = ("wrong", "unknown", "FAULT", "MASTER", "BACKUP", "STOP")
"""What a row is ranked by; the first three need attention, and are marked."""
CHECKS_FIRST = {"FAIL": 0, "UNKNOWN": 1, "": 2}
"""What a check's row is ranked by; the others come last."""
MARKS = {"bad": "✗", "unknown": "?", "warn": "!", "good": "✓"}
WORST_TONES = ("bad", "unknown", "warn", "good")
COLOURS = {"bad": "#b3261e", "unknown": "#6d5200", "warn": "#8a4b00", "good": "#0b6657"}
"""Of the icon, by the headline's tone."""
RUNS = {True: "Keepalived runs", False: "Keepalived does not run", None: "Whether Keepalived runs cannot be told"}


def _source_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src {_source_of(STYLE)}",
        f"script-src {_source_of(SCRIPT)}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


class Row(NamedTuple):
    """A row of the table of VIPs: a VIP with its instance, one without a known instance, or an instance without VIPs.

    `changes` is how many there were in the last day, `strip` their drawing.
    """

    kind: str
    vip: Vip | None
    instance: Instance | None
    changes: int = 0
    strip: str = ""


def render(view: View) -> str:
    """The whole document; what comes from outside is escaped."""
    top = headline(view)
    group = words.headline(view.group) if view.group else None
    of_group = group is not None and WORST_TONES.index(group.tone) <= WORST_TONES.index(top.tone)
    tone, count = (group.tone, group.vips) if group and of_group else (top.tone, top.count)
    states = Counter(instance.state for instance in view.instances)
    gone = ("Keepalived does not run on this node.",) if view.keepalived_runs is False else ()
    return _template().render(
        view=view,
        top=top,
        group_top=group,
        count=count,
        mark=MARKS[tone],
        icon=_icon(tone),
        runs=RUNS[view.keepalived_runs],
        tally=[(state, states[state]) for state in (*WORST_FIRST, "UNKNOWN") if states[state]],
        wrong=(*view.disagreements, *gone),
        down=[source for source in view.sources if not source.up],
        rows=list(_rows(view)),
        checks=sorted(view.checks, key=lambda check: (CHECKS_FIRST.get(check.status, 3), check.name)),
        axis=timeline.axis(view.at),
        definitions=timeline.definitions(view.at),
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    """The template; jinja2 is imported when somebody first looks at the page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        finalize=_nothing_hidden,
    )
    environment.globals.update(
        ago=ago, at_once=UNFOLDED, build=BUILD, in_words=in_words, iso=_iso, moment=timeline.moment, script=SCRIPT,
        state_of=words.state_of, style=STYLE,
    )  # fmt: skip
    return environment.get_template("page.html")


def _nothing_hidden(value: object) -> object:
    """What an expression of the template comes to; what is markup already is left as it is."""
    return visible(value) if type(value) is str else value


def _rows(view: View) -> Iterator[Row]:
    """The VIPs, the worst first, and then the instances without one."""
    instances = {instance.name: instance for instance in view.instances}
    drawn = {
        instance.name: (len(timeline.changes_of_day(instance, view.at)), timeline.strip(instance, view.at))
        for instance in view.instances
    }
    ranked = sorted(((_rank(vip, instances.get(vip.instance)), vip) for vip in view.vips), key=lambda pair: pair[0])
    for rank, vip in ranked:
        kind = WORST_FIRST[rank[0]].lower() if rank[0] < 3 else ""
        yield Row(kind, vip, instances.get(vip.instance), *drawn.get(vip.instance, ()))
    with_vips = {vip.instance for vip in view.vips}
    for instance in view.instances:
        if instance.name not in with_vips:
            kind = instance.state.lower() if instance.state in ("FAULT", "UNKNOWN") else ""
            yield Row(kind, None, instance, *drawn[instance.name])


def _rank(vip: Vip, instance: Instance | None) -> tuple[int, int, int, str, str]:
    """The worst first, then the addresses as a person counts them."""
    state = instance.state if instance else "UNKNOWN"
    if vip.contradicts:
        state = "wrong"
    elif vip.is_unknown or state not in WORST_FIRST:
        state = "unknown"
    try:
        address = ipaddress.ip_address(vip.address)
    except ValueError:  # whatever stands there is shown, and last
        return WORST_FIRST.index(state), 9, 0, vip.address, vip.instance
    return WORST_FIRST.index(state), address.version, int(address), "", vip.instance


def _icon(tone: str) -> str:
    mark = {"bad": "M5 5l6 6m0-6l-6 6", "good": "M4.5 8.5l2.5 2.5l4.5-6"}.get(tone, "M8 4v5m0 2v1.5")
    drawing = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
        f"<circle cx='8' cy='8' r='8' fill='{COLOURS[tone]}'/>"
        f"<path d='{mark}' fill='none' stroke='#fff' stroke-width='2'/></svg>"
    )
    return f"data:image/svg+xml,{quote(drawing)}"


def _iso(at: float) -> str:
    return f"{datetime.fromtimestamp(at, timezone.utc).isoformat(timespec='milliseconds')[:-6]}Z"


def ago(seconds: float) -> str:
    """How long ago, as page.js says it too."""
    for unit, least, name in ((86400, 172800, "days"), (3600, 7200, "h"), (60, 120, "min"), (1, 10, "s")):
        if seconds >= least:
            return f"{seconds // unit:.0f} {name} ago"
    return "just now"
