"""The text of tables of metrics, as Prometheus reads it, of which only that is made again which has news.

The lines of an item are made again only when the item is another: of 255 instances mostly one has news. They are joined
in slices of some items, so that the others are neither joined nor compressed again. `prometheus_client` takes 43 ms for
3,060 series, on the event loop; the tests hold the two against each other.
"""

from __future__ import annotations

import math
from operator import is_not
from typing import Any

from hachecks.services.exposition import OPENMETRICS, TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hachecks.services.exposition import Metric, Table

ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
UNTYPED = {TEXT: "untyped", OPENMETRICS: "unknown"}
SLICE = 32
"""Items whose lines are joined, and later compressed, together: fewer cost bytes, more cost time when one has news."""
SMALL = 4096
"""Bytes below which a piece is joined with the next one: compressed alone, it would be as long as it is."""


class Lines:
    """The lines of one item: for each metric a text; `labels` are `a="1",b="2"`, without braces, made of `named`.

    `values` are those that the texts were made of, `templates` the lines of histograms but for their numbers.
    """

    __slots__ = ("item", "labels", "named", "templates", "texts", "values")

    def __init__(self, item: object, named: Sequence[object], labels: str) -> None:
        self.item = item
        self.named = named
        self.labels = labels
        self.texts: list[str] = []
        self.values: list[Any] = []
        self.templates: dict[str, str] = {}

    def fill(self, metrics: Sequence[Metric], before: Lines | None) -> None:
        """Make the texts; those whose values are as they were `before`, of an item with the same labels, are kept."""
        self.values = [metric.samples(self.item) for metric in metrics]
        if before and before.texts and before.labels == self.labels:
            self.templates = before.templates
            old = zip(before.values, before.texts)
            self.texts = [
                text if value == kept else self._text(metric, value)
                for metric, value, (kept, text) in zip(metrics, self.values, old)
            ]
        else:
            self.texts = [self._text(metric, value) for metric, value in zip(metrics, self.values)]

    def _text(self, metric: Metric, value: Any) -> str:
        if value is None or metric.kind != "histogram":
            return _text(metric, self.labels, value)
        template = self.templates.get(metric.name)
        if template is None:
            template = self.templates[metric.name] = _histogram_template(metric.name, self.labels, value.bounds)
        return template % (*value.counts, value.counts[-1], _number(value.total))


class Slice:
    """Some items' lines joined: a text for each metric, which is the old one where nothing has changed."""

    __slots__ = ("lines", "texts")

    def __init__(self, lines: list[Lines], before: Slice | None) -> None:
        self.lines = lines
        self.texts: list[bytes]
        joined = ["".join(texts).encode() for texts in zip(*[one.texts for one in lines])]
        old = before.texts if before else ()
        self.texts = [kept if text == kept else text for text, kept in zip(joined, old)] if old else joined


class TablesText:
    """What tables come to; the lines of an item are kept for the next time."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._tables = [(LiveText if table.context else KeptText)(table) for table in tables]

    def render(self, view: Any, format: str) -> str:
        """The text in TEXT or OPENMETRICS, those metrics left out of which nothing is known; both want their end."""
        return b"".join(self.pieces(view, format)).decode()

    def pieces(self, view: Any, format: str) -> list[bytes]:
        """The same in pieces, of which those that have not changed are the same objects as the last time."""
        found: list[bytes] = []
        small = False
        for table in self._tables:
            for piece in table.pieces(view, format):
                if small and len(piece) < SMALL:
                    found[-1] += piece
                else:
                    found.append(piece)
                small = len(found[-1]) < SMALL
        return found


class KeptText:
    """What a table without context comes to: the lines of an item are made once."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._items: tuple[object, ...] = ()
        self._lines: list[Lines] = []
        self._slices: list[Slice] = []
        self._headed: dict[tuple[str, str], tuple[bytes, bytes]] = {}

    def pieces(self, view: Any, format: str) -> Iterator[bytes]:
        """The text of each metric in slices, the first one with its head; nothing where nothing is known."""
        for metric, texts in zip(self.table.metrics, self._texts(view)):
            known = [text for text in texts if text]
            if known:
                yield self._with_head(metric, format, known[0])
                yield from known[1:]

    def _with_head(self, metric: Metric, format: str, text: bytes) -> bytes:
        kept = self._headed.get((metric.name, format))
        if kept is None or kept[0] is not text:
            kept = self._headed[metric.name, format] = text, _head(metric, format).encode() + text
        return kept[1]

    def _texts(self, view: Any) -> Iterable[Iterable[bytes]]:
        """For each metric the texts of all slices."""
        if self._find_lines(view):
            old, metrics = self._slices, self.table.metrics
            found = []
            for number, start in enumerate(range(0, len(self._lines), SLICE)):
                lines, before = self._lines[start : start + SLICE], old[number] if number < len(old) else None
                if before is None or before.lines != lines:
                    for place, one in enumerate(lines):
                        if not one.texts:
                            one.fill(metrics, before.lines[place] if before and place < len(before.lines) else None)
                    before = Slice(lines, before)
                found.append(before)
            self._slices = found
        return zip(*[one.texts for one in self._slices])

    def _find_lines(self, view: Any) -> bool:
        """Know the lines of the items that there are now, new ones yet without texts; returns whether any is new."""
        items, lines = tuple(self.table.items(view)), self._lines
        if len(items) == len(self._items) and not any(map(is_not, items, self._items)):
            return False
        alike = [one.item is item for one, item in zip(lines, items)]
        alike += [False] * (max(len(lines), len(items)) - len(alike))
        moved = {id(one.item): one for one, same in zip(lines, alike) if not same}
        self._lines = [
            lines[place] if alike[place] else moved.get(id(item)) or self._new(item, lines[place : place + 1])
            for place, item in enumerate(items)
        ]
        self._items = items
        return True

    def _new(self, item: object, before: Sequence[Lines]) -> Lines:
        """Without texts; `before` is what stood in its place, if anything did: mostly the same item, but older."""
        named = self.table.values(item)
        if before and before[0].named == named:
            return Lines(item, named, before[0].labels)
        labels = (f'{name}="{_escaped(value)}"' for name, value in zip(self.table.labels, named))
        return Lines(item, named, ",".join(labels))


class LiveText(KeptText):
    """What a table with a context comes to: only the labels of an item are made once."""

    def _texts(self, view: Any) -> Iterable[Iterable[bytes]]:
        """For each metric the text of all items."""
        self._find_lines(view)
        lines, context = self._lines, self.table.context and self.table.context(view)
        for metric in self.table.metrics:
            values = [(one.labels, metric.samples(one.item, context)) for one in lines]
            if metric.label or not self.table.labels:
                text = "".join([_text(metric, labels, value) for labels, value in values])
            else:  # hundreds of lines, at each scrape
                start = f"{metric.name}{{"
                text = "".join(
                    [f"{start}{labels}}} {_number(value)}\n" for labels, value in values if value is not None]
                )
            yield (text.encode(),)


def rendered(tables: Iterable[Table], view: Any, format: str) -> str:
    """The tables as text, made from nothing."""
    return TablesText(tables).render(view, format)


def _head(metric: Metric, format: str) -> str:
    is_counter = format == OPENMETRICS and metric.kind == "counter"
    name = metric.name[: -len("_total")] if is_counter else metric.name
    kind = UNTYPED[format] if metric.kind == "untyped" else metric.kind
    return f"# HELP {name} {metric.help}\n# TYPE {name} {kind}\n"


def _text(metric: Metric, labels: str, value: Any) -> str:
    """The lines of one item and metric."""
    if value is None:
        return ""
    if metric.kind == "histogram":
        template = _histogram_template(metric.name, labels, value.bounds)
        return template % (*value.counts, value.counts[-1], _number(value.total))
    if not metric.label:
        return f"{metric.name}{{{labels}}} {_number(value)}\n" if labels else f"{metric.name} {_number(value)}\n"
    return _labelled_text(metric, f"{labels}," if labels else "", value)


def _labelled_text(metric: Metric, labels: str, values: Mapping[object, float | None]) -> str:
    start = f'{metric.name}{{{labels}{metric.label}="'
    return "".join(f'{start}{_escaped(of)}"}} {_number(value)}\n' for of, value in values.items() if value is not None)


def _histogram_template(name: str, labels: str, bounds: Sequence[float]) -> str:
    """The lines of a histogram, with % for each count, their last one again, and the sum."""
    labels = labels.replace("%", "%%")
    start = f"{labels}," if labels else ""
    braced = f"{{{labels}}}" if labels else ""
    buckets = "".join(f'{name}_bucket{{{start}le="{bound}"}} %s\n' for bound in (*map(float, bounds), "+Inf"))
    return f"{buckets}{name}_count{braced} %s\n{name}_sum{braced} %s\n"


def _escaped(value: object) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode().translate(ESCAPES)


def _number(value: float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return repr(value) if value is not True and value is not False else str(int(value))
