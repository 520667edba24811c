"""The exposition: tables of metrics, one row a metric, become the text that Prometheus reads.

A row tells a metric's name, type, help and labels once, for the text as well as for the documentation. The lines of an
item are made again only when the item is another: of 255 instances mostly one has news. `prometheus_client` takes 43 ms
for 3,060 series, on the event loop; the tests hold the two against each other.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
TEXT, OPENMETRICS = "text", "openmetrics"
UNTYPED = {TEXT: "untyped", OPENMETRICS: "unknown"}


class Metric(NamedTuple):
    """A metric family: `kind` is gauge, counter, histogram or untyped; a counter's name ends with `_total`.

    `samples` gives of an item of the table, and of the table's context where it has one: a number; where there is a
    `label`, a mapping from its values to numbers; for a histogram a `Histogram`. What is None is not known, and absent.
    """

    name: str
    kind: str
    help: str
    samples: Callable[..., Any]
    label: str = ""


def gauge(name: str, help: str, samples: Callable[..., Any], label: str = "") -> Metric:
    """A row of what goes up and down."""
    return Metric(name, "gauge", help, samples, label)


def counter(name: str, help: str, samples: Callable[..., Any], label: str = "") -> Metric:
    """A row of what only grows; the name ends with `_total`."""
    return Metric(name, "counter", help, samples, label)


def histogram(name: str, help: str, samples: Callable[..., Histogram]) -> Metric:
    """A row of what is counted by its size."""
    return Metric(name, "histogram", help, samples)


def untyped(name: str, help: str, samples: Callable[..., Any]) -> Metric:
    """A row of what others call untyped."""
    return Metric(name, "untyped", help, samples)


class Histogram(NamedTuple):
    """What was observed: `counts` are cumulative, one for each bound and at last for all; `total` is the sum."""

    bounds: Sequence[float]
    counts: Sequence[int]
    total: float


class Table(NamedTuple):
    """Metrics of the same items: `values` gives an item's values for `labels`.

    Both are found in the view that the text is made of, whatever that is. An item is known by its identity, and never
    changes. `context` is what else the samples are made of; they are made anew each time then.
    """

    items: Callable[[Any], Iterable[Any]]
    labels: Sequence[str]
    values: Callable[[Any], Sequence[object]]
    metrics: Sequence[Metric]
    context: Callable[[Any], object] | None = None


class Description(NamedTuple):
    """A metric as the documentation has it; `labels` are names."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]


def single(context: Callable[[Any], object], *metrics: Metric) -> Table:
    """A table of one item without labels, all of whose samples are made of the context."""
    rows = (metric._replace(samples=lambda _, context, of=metric.samples: of(context)) for metric in metrics)
    return Table(lambda _: (None,), (), lambda _: (), tuple(rows), context)


def described(tables: Iterable[Table]) -> Iterator[Description]:
    """Every metric of the tables, in their order."""
    for table in tables:
        for metric in table.metrics:
            labels = (*table.labels, *([metric.label] if metric.label else ()))
            yield Description(metric.name, metric.kind, metric.help, labels)


class _Lines:
    """The lines of one item: for each metric a text; `labels` are `a="1",b="2"`, without braces."""

    __slots__ = ("item", "labels", "texts")

    def __init__(self, item: object, labels: str) -> None:
        self.item = item
        self.labels = labels
        self.texts: list[str] = []


class TablesText:
    """What tables come to; the lines of an item are kept for the next time."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._tables = [(LiveText if table.context else KeptText)(table) for table in tables]

    def render(self, view: Any, format: str) -> str:
        """The text in TEXT or OPENMETRICS, those metrics left out of which nothing is known; both want their end."""
        return "".join(
            _head(metric, format) + text
            for table in self._tables
            for metric, text in zip(table.table.metrics, table.texts(view))
            if text
        )


class KeptText:
    """What a table without context comes to: the lines of an item are made once."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._lines: dict[int, _Lines] = {}

    def texts(self, view: Any) -> Iterable[str]:
        """The text of each metric, without its head; nothing at all where there is no item."""
        lines = self._lines_of(view)
        for one in lines:
            if not one.texts:
                one.texts = [_text(metric, one.labels, metric.samples(one.item)) for metric in self.table.metrics]
        return map("".join, zip(*[one.texts for one in lines]))

    def _lines_of(self, view: Any) -> Iterable[_Lines]:
        known = self._lines
        self._lines = {id(item): known.get(id(item)) or self._new(item) for item in self.table.items(view)}
        return self._lines.values()

    def _new(self, item: object) -> _Lines:
        values = self.table.values(item)
        return _Lines(item, ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(self.table.labels, values)))


class LiveText(KeptText):
    """What a table with a context comes to: only the labels of an item are made once."""

    def texts(self, view: Any) -> Iterable[str]:
        """The text of each metric, without its head."""
        lines, context = self._lines_of(view), self.table.context and self.table.context(view)
        for metric in self.table.metrics:
            values = [(one.labels, metric.samples(one.item, context)) for one in lines]
            if metric.label or not self.table.labels:
                yield "".join([_text(metric, labels, value) for labels, value in values])
            else:  # hundreds of lines, at each scrape
                start = f"{metric.name}{{"
                yield "".join(
                    [f"{start}{labels}}} {_number(value)}\n" for labels, value in values if value is not None]
                )


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
        return _histogram_text(metric.name, labels, value)
    if not metric.label:
        return f"{metric.name}{{{labels}}} {_number(value)}\n" if labels else f"{metric.name} {_number(value)}\n"
    return _labelled_text(metric, f"{labels}," if labels else "", value)


def _labelled_text(metric: Metric, labels: str, values: Mapping[object, float | None]) -> str:
    start = f'{metric.name}{{{labels}{metric.label}="'
    return "".join(f'{start}{_escaped(of)}"}} {_number(value)}\n' for of, value in values.items() if value is not None)


def _histogram_text(name: str, labels: str, histogram: Histogram) -> str:
    start = f"{labels}," if labels else ""
    braced = f"{{{labels}}}" if labels else ""
    counts = zip((*map(float, histogram.bounds), "+Inf"), histogram.counts)
    buckets = "".join(f'{name}_bucket{{{start}le="{bound}"}} {count}\n' for bound, count in counts)
    return f"{buckets}{name}_count{braced} {histogram.counts[-1]}\n{name}_sum{braced} {_number(histogram.total)}\n"


def _escaped(value: object) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode().translate(ESCAPES)


def _number(value: float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return repr(value) if value is not True and value is not False else str(int(value))
