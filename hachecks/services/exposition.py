"""The exposition: tables of metrics, one row a metric, which exposition_text makes the text of that Prometheus reads.

A row tells a metric's name, type, help and labels once, for the text as well as for the documentation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

TEXT, OPENMETRICS = "text", "openmetrics"


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
