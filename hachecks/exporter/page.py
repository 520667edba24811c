"""What does an engineer see at three in the morning? One page about this node's VIPs, the worst first."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from hachecks.exporter import timeline
from hachecks.exporter.consistency import headline
from hachecks.exporter.spelling import escape
from hachecks.verdict import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hachecks.exporter.consistency import Headline
    from hachecks.exporter.view import Check, Instance, Notifier, SourceStatus, View, Vip

HERE = Path(__file__).parent
STYLE = (HERE / "page.css").read_text(encoding="utf-8")
SCRIPT = (HERE / "page.js").read_text(encoding="utf-8")
BUILD = hashlib.sha256(f"{STYLE}{SCRIPT}".encode()).hexdigest()[:12]
"""What an open page compares: a page of an older release loads itself anew."""
AT_ONCE = 8
"""Sentences that are shown at once; more are folded."""
WORST_FIRST = ("wrong", "unknown", "FAULT", "MASTER", "BACKUP", "STOP")
MARKS = {"bad": "✗", "unknown": "?", "warn": "!", "good": "✓"}
COLOURS = {"bad": "#b3261e", "unknown": "#6d5200", "warn": "#8a4b00", "good": "#0b6657"}


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


def render(view: View) -> str:
    """The whole document; what comes from outside is escaped."""
    top = headline(view)
    mark = MARKS[top.tone]
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-build="{BUILD}">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{mark} {top.count} · {escape(view.node)}</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f'<link rel="icon" href="{_icon(top.tone)}">\n<style>{STYLE}</style>\n'
        '<noscript><meta http-equiv="refresh" content="10"></noscript>\n</head>\n<body>\n'
        '<p id="stale" role="alert" hidden></p>\n<p id="news" role="status"></p>\n'
        f'<main data-at="{view.at:.3f}">\n{_top(view, top)}{_sentences(view)}{_vips(view)}'
        f"{_checks(view)}{_notifiers(view)}{_sources(view)}</main>\n"
        f"<footer><p>hachecks {escape(view.version)}</p>"
        '<ul><li><a href="/metrics">Metrics</a></li><li><a href="/api/status">Status as JSON</a></li></ul></footer>\n'
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _icon(tone: str) -> str:
    mark = {"bad": "M5 5l6 6m0-6l-6 6", "good": "M4.5 8.5l2.5 2.5l4.5-6"}.get(tone, "M8 4v5m0 2v1.5")
    drawing = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
        f"<circle cx='8' cy='8' r='8' fill='{COLOURS[tone]}'/>"
        f"<path d='{mark}' fill='none' stroke='#fff' stroke-width='2'/></svg>"
    )
    return f"data:image/svg+xml,{quote(drawing)}"


def _top(view: View, top: Headline) -> str:
    runs = {True: "Keepalived runs", False: "Keepalived does not run", None: "Whether Keepalived runs cannot be told"}
    states = Counter(instance.state for instance in view.instances)
    tally = "".join(f"<li>{_state(state)} {states[state]}</li>" for state in (*WORST_FIRST, "UNKNOWN") if states[state])
    but, at = top.but, _time(view.at, view.at, " UTC")
    return (
        f'<header class="top {top.tone}">\n<p class="node">{escape(view.node)}</p>\n<h1>{top.sentence}</h1>\n'
        + (f'<p class="but">{", ".join(but)}</p>\n' if but else "")
        + f'<ul class="facts"><li class="runs">{runs[view.keepalived_runs]}</li>'
        f'<li class="looked">looked at {at}</li></ul>\n'
        + (f'<ul class="tally" aria-label="Instances by state">{tally}</ul>\n' if tally else "")
        + "</header>\n"
    )


def _sentences(view: View) -> str:
    """What contradicts what, what cannot be seen, and what is missing for a full picture."""
    wrong = [escape(sentence) for sentence in view.disagreements]
    if view.keepalived_runs is False:
        wrong.append("Keepalived does not run on this node.")
    down = [f"<b>{escape(source.name)}</b> {escape(source.trouble)}" for source in view.sources if not source.up]
    return (
        _panel("wrong", "bad", "What is wrong", wrong)
        + _panel("down", "warn", "What cannot be seen", down)
        + _panel("findings", "warn", "What is written and does not count", list(map(escape, view.findings)))
        + _panel("hints", "hint", "For a full picture", list(map(escape, view.hints)))
    )


def _panel(name: str, tone: str, title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    shown, folded = items[:AT_ONCE], items[AT_ONCE:]
    more = f"<details><summary>and {len(folded)} more</summary>{_list(folded)}</details>" if folded else ""
    return (
        f'<section id="{name}" class="panel {tone}" aria-labelledby="{name}-title">'
        f'<h2 id="{name}-title">{title}</h2>{_list(shown)}{more}</section>\n'
    )


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _table(name: str, title: str, note: str, columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    """A section with a table; a row is its class and then its cells, of which the first is its heading."""
    if not rows:
        return ""
    labels = [column.partition("<")[0] for column in columns]
    heads = "".join(f'<th scope="col">{column}</th>' for column in columns)
    before = [f'<td data-label="{label}">' for label in labels[1:]]
    body = []
    for kind, first, *cells in rows:
        body.append(f'<tr class="{kind}"><th scope="row">' if kind else '<tr><th scope="row">')
        body.append(f"{first}</th>")
        body += [f"{start}{cell}</td>" if cell else "<td></td>" for start, cell in zip(before, cells)]
        body.append("</tr>\n")
    controls = CONTROLS if name == "vips" else ""
    return (
        f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{title}</h2>{controls}'
        f"<table><caption>{note}</caption><thead><tr>{heads}</tr></thead>\n<tbody>{''.join(body)}</tbody></table>"
        "</section>\n"
    )


CONTROLS = (
    '<form id="filter" role="search" aria-label="Filter the VIPs" hidden data-keep><label class="text">Filter '
    '<input type="search" name="text" autocomplete="off" spellcheck="false" '
    'placeholder="VIP, instance or state"></label>'
    '<label class="toggle"><input type="checkbox" name="attention"> Only what needs attention</label></form>'
    '<output id="shown" for="filter"></output>'
)


def _vips(view: View) -> str:
    instances = {instance.name: instance for instance in view.instances}
    strips = {instance.name: timeline.strip(instance, view.at) for instance in view.instances}
    ranked = sorted(((_rank(vip, instances.get(vip.instance)), vip) for vip in view.vips), key=lambda pair: pair[0])
    rows = [_vip(rank[0], vip, instances.get(vip.instance), strips, view.at) for rank, vip in ranked]
    speaking = {vip.instance for vip in view.vips}
    none = "no VIP" if view.knows_configuration else "no VIP known"
    rows += [_alone(one, none, strips, view.at) for one in view.instances if one.name not in speaking]
    if not rows:
        return (
            '<section id="vips" aria-labelledby="vips-title"><h2 id="vips-title">VIPs</h2><p>No VIP is known: '
            "give the exporter Keepalived's configuration, or let Keepalived notify it.</p></section>\n"
        )
    heads = ("VIP", "Instance", "Keepalived says", "Present", "Since", f"Last 24 h{timeline.axis(view.at)}", "Why")
    note = f"Worst first. All times are UTC.{timeline.definitions(view.at)}"
    return _table("vips", "VIPs", note, heads, rows)


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


def _vip(rank: int, vip: Vip, instance: Instance | None, strips: dict[str, str], now: float) -> tuple[str, ...]:
    name = f'<b>{escape(vip.address)}</b><span class="prefix">/{vip.prefixlen}</span>'
    if vip.excluded:
        name += ' <span class="tag">excluded</span>'
    if vip.present is None:
        present = '<span class="presence unknown">not known</span>'
    elif vip.present:
        present = f'<span class="presence yes">on {escape(", ".join(vip.present_on) or vip.interface)}</span>'
    else:
        present = '<span class="presence no">absent</span>'
    why = f'<p class="trouble">{escape(vip.trouble)}</p>' if vip.trouble else ""
    kind = WORST_FIRST[rank].lower() if rank < 3 else ""
    return (kind, name, escape(vip.instance), *_said(instance, present, strips, why, now))


def _alone(instance: Instance, none: str, strips: dict[str, str], now: float) -> tuple[str, ...]:
    """An instance without VIPs, or of which no configuration tells them."""
    kind = instance.state.lower() if instance.state in ("FAULT", "UNKNOWN") else ""
    return (kind, none, escape(instance.name), *_said(instance, "", strips, "", now))


def _said(instance: Instance | None, present: str, strips: dict[str, str], why: str, now: float) -> tuple[str, ...]:
    if instance is None:
        return _state("UNKNOWN"), present, "", "", why
    priority = f' <span class="prefix">priority {instance.priority}</span>' if instance.priority is not None else ""
    since = "" if instance.since is None else _time(instance.since, now)
    changes = len(timeline.changes_of_day(instance, now))
    if changes > 1:
        since += f' <span class="prefix">{changes} changes in 24 h</span>'
    if instance.why:
        why += f'<p class="why">{escape(instance.why)}</p>'
    return _state(instance.state) + priority, present, since, strips[instance.name], why


def _state(state: str) -> str:
    return f'<span class="state {state.lower()}">{state}</span>'


def _checks(view: View) -> str:
    def row(check: Check) -> tuple[str, ...]:
        status = check.status or "not run lately"
        kind = {"PASS": "pass", "FAIL": "fail"}.get(check.status, "unknown")
        return (
            {"FAIL": "fault", "UNKNOWN": "unknown"}.get(check.status, ""),
            escape(check.name),
            f'<span class="state {kind}">{escape(status)}</span>',
            f'{escape(check.probe)} <span class="subject">{escape(check.subject)}</span>',
            escape(check.reason),
            "" if check.at is None else _time(check.at, view.at),
            "" if check.duration is None else in_words(check.duration),
            "" if check.interval is None else f"every {in_words(check.interval)}",
        )

    order = {"FAIL": 0, "UNKNOWN": 1, "": 2}
    checks = sorted(view.checks, key=lambda check: (order.get(check.status, 3), check.name))
    heads = ("Check", "Status", "Probe", "Reason", "Last run", "Took", "Interval")
    return _table("checks", "Checks", "What each check said when it last ran.", heads, list(map(row, checks)))


def _notifiers(view: View) -> str:
    def row(notifier: Notifier) -> tuple[str, ...]:
        state = (
            '<span class="state fail">in trouble</span>' if notifier.trouble else '<span class="state pass">well</span>'
        )
        return (
            "fault" if notifier.trouble else "",
            escape(notifier.name),
            state,
            str(notifier.waiting),
            "never" if notifier.last_success is None else _time(notifier.last_success, view.at),
            f'<p class="trouble">{escape(notifier.trouble)}</p>' if notifier.trouble else "",
        )

    heads = ("Notifier", "State", "Waiting", "Last success", "Why")
    note = "Who is told of transitions, and how many still wait to be told."
    return _table("notifiers", "Notifiers", note, heads, list(map(row, view.notifiers)))


def _sources(view: View) -> str:
    def row(source: SourceStatus) -> tuple[str, ...]:
        state = '<span class="state pass">up</span>' if source.up else '<span class="state fail">down</span>'
        return (
            "" if source.up else "fault",
            escape(source.name),
            state,
            "never" if source.last_success is None else _time(source.last_success, view.at),
            str(source.errors),
            f'<p class="trouble">{escape(source.trouble)}</p>' if source.trouble else "",
        )

    heads = ("Source", "State", "Last success", "Errors", "Why")
    return _table("sources", "Sources", "Where all this is known from.", heads, list(map(row, view.sources)))


def _time(at: float, now: float, zone: str = "") -> str:
    exact = datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds")
    return f'<time datetime="{exact[:-6]}Z">{timeline.moment(at, now)}{zone} <small>{ago(now - at)}</small></time>'


def ago(seconds: float) -> str:
    """How long ago, as page.js says it too."""
    for unit, least, name in ((86400, 172800, "days"), (3600, 7200, "h"), (60, 120, "min"), (1, 10, "s")):
        if seconds >= least:
            return f"{seconds // unit:.0f} {name} ago"
    return "just now"
