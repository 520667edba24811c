"""Our text says what prometheus_client's own writer says of the same families."""

from __future__ import annotations

import gzip
import math
import zlib
from dataclasses import replace
from operator import is_
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from hachecks.exporter import body, metrics
from hachecks.exporter.body import CachedSection
from hachecks.exporter.view import View
from hachecks.services.exposition import (
    OPENMETRICS,
    TEXT,
    Histogram,
    Metric,
    Table,
    described,
    single,
)
from hachecks.services.exposition_text import SLICE, TablesText, rendered

if TYPE_CHECKING:
    from collections.abc import Callable

READERS: dict[str, Callable[[str], object]] = {TEXT: read_text, OPENMETRICS: read_openmetrics}
VIEW = View("node-a", "1", 1_790_000_000.0, True)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.one_of(st.integers(0, 2**53), st.floats(allow_nan=False, min_value=0, allow_infinity=True))


def read_back(tables: list[Table], format: str) -> list[tuple[str, str, dict[str, str], float]]:
    """What Prometheus's own parser reads in our text: type, name, labels and value."""
    text = rendered(tables, VIEW, format) + ("# EOF\n" if format == OPENMETRICS else "")
    return [
        (metric.type, sample.name, dict(sample.labels), float(sample.value))
        for metric in READERS[format](text)  # type: ignore[attr-defined]
        for sample in metric.samples
    ]


def table(metric: Metric, *items: Any, labels: tuple[str, ...] = ()) -> Table:
    """A table whose items are mappings, and of which `labels` names keys."""
    return Table(lambda _: items, labels, lambda item: [item[label] for label in labels], (metric,))


@pytest.mark.parametrize("format", [TEXT, OPENMETRICS])
@given(series=st.dictionaries(st.tuples(names, names), values, min_size=1, max_size=5))
def test_a_gauge_is_read_as_it_was_meant_whatever_its_labels_hold(
    format: str, series: dict[tuple[str, str], float]
) -> None:
    items = [{"a": one, "b": two, "value": value} for (one, two), value in series.items()]
    found = table(Metric("x_info", "gauge", "Some.", lambda item: item["value"]), *items, labels=("a", "b"))
    expected = [("gauge", "x_info", {"a": one, "b": two}, float(v)) for (one, two), v in series.items()]
    assert read_back([found], format) == expected


@pytest.mark.parametrize("format", [TEXT, OPENMETRICS])
@given(series=st.dictionaries(names, values, min_size=1, max_size=5), of=names)
def test_the_values_of_a_label_are_series_of_their_own(format: str, series: dict[str, float], of: str) -> None:
    metric = Metric("x_info", "gauge", "Some.", lambda item: item["values"], "kind")
    found = table(metric, {"a": of, "values": series}, labels=("a",))
    expected = [("gauge", "x_info", {"a": of, "kind": kind}, float(v)) for kind, v in series.items()]
    assert read_back([found], format) == expected


@pytest.mark.parametrize("format", [TEXT, OPENMETRICS])
def test_a_counter_keeps_its_name_in_both_formats(format: str) -> None:
    found = table(Metric("x_total", "counter", "Some.", lambda _: 3), {"a": 1}, labels=("a",))
    assert read_back([found], format) == [("counter", "x_total", {"a": "1"}, 3.0)]


@pytest.mark.parametrize("format", [TEXT, OPENMETRICS])
def test_a_value_of_no_type_has_none(format: str) -> None:
    found = table(Metric("x", "untyped", "Some.", lambda _: 3), {})
    assert read_back([found], format) == [("unknown", "x", {}, 3.0)]


@pytest.mark.parametrize("format", [TEXT, OPENMETRICS])
@pytest.mark.parametrize("of", [{}, {"check": "web"}])
def test_a_histogram_is_one(format: str, of: dict[str, str]) -> None:
    metric = Metric("x_seconds", "histogram", "Some.", lambda _: Histogram((0.5, 1), (2, 3, 4), 7.25))
    found = table(metric, of, labels=tuple(of))
    assert read_back([found], format) == [
        ("histogram", "x_seconds_bucket", {**of, "le": "0.5"}, 2.0),
        ("histogram", "x_seconds_bucket", {**of, "le": "1.0"}, 3.0),
        ("histogram", "x_seconds_bucket", {**of, "le": "+Inf"}, 4.0),
        ("histogram", "x_seconds_count", of, 4.0),
        ("histogram", "x_seconds_sum", of, 7.25),
    ]


def test_what_is_not_known_leaves_no_trace() -> None:
    nothing = Metric("x", "gauge", "Some.", lambda _: None)
    half = Metric("y", "gauge", "Some.", lambda _: {"known": True, "unknown": None}, "kind")
    assert rendered([table(nothing, {}, {}), table(nothing)], VIEW, TEXT) == ""
    assert rendered([table(half, {})], VIEW, TEXT).splitlines()[2:] == ['y{kind="known"} 1']


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_written_as_prometheus_does(value: float) -> None:
    ((_, _, _, read),) = read_back([table(Metric("x", "gauge", "Some.", lambda _: value), {})], TEXT)
    assert read == value or (math.isnan(read) and math.isnan(value))


def test_the_lines_of_an_item_are_made_once_and_all_of_a_metric_stand_together() -> None:
    made: list[str] = []

    def samples(item: dict[str, str]) -> int:
        made.append(item["a"])
        return len(made)

    one, two, three = {"a": "one"}, {"a": "two"}, {"a": "three"}
    items = [one, two]
    metrics_of_items = (Metric("x", "gauge", "X.", samples), Metric("y", "gauge", "Y.", lambda _: 0))
    text = TablesText([Table(lambda _: items, ("a",), lambda item: (item["a"],), metrics_of_items)])
    assert [line for line in text.render(VIEW, TEXT).splitlines() if line[0] != "#"] == [
        'x{a="one"} 1', 'x{a="two"} 2', 'y{a="one"} 0', 'y{a="two"} 0',
    ]  # fmt: skip
    items[:] = [three, one]
    again = text.render(VIEW, TEXT)
    assert [line for line in again.splitlines() if line[0] == "x"] == ['x{a="three"} 3', 'x{a="one"} 1']
    assert again == text.render(VIEW, TEXT)
    assert made == ["one", "two", "three"]


def test_of_many_items_only_the_slice_with_news_is_another_piece() -> None:
    items: list[dict[str, Any]] = [{"a": str(number), "n": number} for number in range(5 * SLICE)]
    metrics_of_items = (
        Metric("x", "gauge", "X.", lambda item: item["n"]),
        Metric("y", "gauge", "Y.", lambda _: dict.fromkeys("abcdefghijklmnop", 0.5), "kind"),
    )
    text = TablesText([Table(lambda _: items, ("a",), lambda item: (item["a"],), metrics_of_items)])
    before = text.pieces(VIEW, TEXT)
    assert all(map(is_, before[1:], text.pieces(VIEW, TEXT)[1:]))
    items[3 * SLICE + 1] = {"a": str(3 * SLICE + 1), "n": -1}
    after = text.pieces(VIEW, TEXT)
    assert [number for number, pair in enumerate(zip(before, after)) if pair[0] != pair[1]] == [0]
    assert b"".join(after).decode() == rendered(
        [Table(lambda _: items, ("a",), lambda item: (item["a"],), metrics_of_items)], VIEW, TEXT
    )
    del items[7]
    items.append({"a": "new", "n": 7})
    assert text.render(VIEW, OPENMETRICS) == rendered(
        [Table(lambda _: items, ("a",), lambda item: (item["a"],), metrics_of_items)], VIEW, OPENMETRICS
    )


def test_what_is_made_of_a_context_is_made_each_time() -> None:
    metric = Metric("x", "gauge", "X.", lambda item, at: at + item["more"])
    text = TablesText([Table(lambda _: items, ("a",), lambda item: (item["a"],), (metric,), lambda view: view.at)])
    items = [{"a": "one", "more": 1}]
    assert text.render(VIEW, TEXT).splitlines()[-1] == 'x{a="one"} 1790000001.0'
    assert text.render(replace(VIEW, at=5), TEXT).splitlines()[-1] == 'x{a="one"} 6'


def test_every_metric_can_be_described() -> None:
    found = list(metrics.all_metrics())
    assert ("hachecks_vrrp_state", "gauge", ("vrrp_instance", "state")) in {
        (one.name, one.kind, one.labels) for one in found
    }
    named = [one.name for one in (*found, *metrics.compatible_metrics())]
    assert len(named) == len(set(named)), "a metric of one name twice is no valid exposition"
    for one in found:
        assert one.name.startswith("hachecks_")
        assert one.kind in ("gauge", "counter", "histogram")
        assert one.name.endswith("_total") == (one.kind == "counter")
        assert one.help.endswith(".")
    (one,) = described([single(lambda view: view.at, Metric("x", "gauge", "X.", lambda at: at))])
    assert one.labels == ()


def section(texts: list[str], made_of: list[object] | None) -> tuple[CachedSection, list[str]]:
    """A section that says the first text, and the formats that it was made in."""
    made: list[str] = []

    def make(_: View, format: str) -> str:
        made.append(format)
        return texts[0]

    return CachedSection((lambda _: made_of[0]) if made_of else None, make), made


def test_what_has_not_changed_is_not_made_again() -> None:
    texts, made_of = ["one\n"], [1]
    same, made = section(texts, made_of)  # type: ignore[arg-type]
    assert body.joined([same], VIEW, TEXT) == b"one\n"
    texts[0] = "two\n"
    assert body.joined([same], VIEW, TEXT) == b"one\n"
    assert gzip.decompress(body.gzipped([same], VIEW, TEXT)) == b"one\n"
    assert made == [TEXT]
    made_of[0] = 2
    assert gzip.decompress(body.gzipped([same], VIEW, TEXT)) == b"two\n"


def test_each_format_is_kept_for_itself() -> None:
    one, made = section(["x\n"], [1])
    for format in (TEXT, OPENMETRICS, TEXT, OPENMETRICS):
        body.joined([one], VIEW, format)
    assert made == [TEXT, OPENMETRICS]


def test_a_section_that_is_made_of_nothing_that_lasts_is_made_each_time() -> None:
    texts = ["x\n"]
    one, made = section(texts, None)
    for text in ("x\n", "x\n", "y\n"):
        texts[0] = text
        assert gzip.decompress(body.gzipped([one], VIEW, TEXT)) == text.encode()
    assert len(made) == 3


@given(st.lists(st.text(max_size=3000), max_size=6), st.binary(max_size=8))
def test_sections_that_were_compressed_alone_are_one_gzip_member(texts: list[str], end: bytes) -> None:
    sayable = [text.encode("utf-8", "replace").decode() for text in texts]
    sections = [CachedSection(lambda _: 1, lambda _, __, text=text: text) for text in sayable]  # type: ignore[misc]
    expected = "".join(sayable).encode() + end
    compressed = body.gzipped(sections, VIEW, TEXT, end)
    assert gzip.decompress(compressed) == expected
    # One member: a reader that stops after the first, as curl's does, has everything.
    reader = zlib.decompressobj(wbits=31)
    assert reader.decompress(compressed) == expected
    assert reader.eof
    assert reader.unused_data == b""
