"""Our text says what prometheus_client's own writer says of the same families."""

from __future__ import annotations

import gzip
import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from hachecks.exporter import body
from hachecks.exporter.body import CachedSection
from hachecks.exporter.exposition import OPENMETRICS, TEXT, Family, histogram, labels, rendered

if TYPE_CHECKING:
    from collections.abc import Callable

READERS: dict[str, Callable[[str], object]] = {TEXT: read_text, OPENMETRICS: read_openmetrics}
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.one_of(st.integers(0, 2**53), st.floats(allow_nan=False, min_value=0, allow_infinity=True))


def samples_of(families: list[Family], form: str) -> list[tuple[str, str, dict[str, str], float]]:
    """What Prometheus's own parser reads in our text: family type, name, labels and value."""
    text = rendered(families, form) + ("# EOF\n" if form == OPENMETRICS else "")
    return [
        (metric.type, sample.name, dict(sample.labels), float(sample.value))
        for metric in READERS[form](text)  # type: ignore[attr-defined]
        for sample in metric.samples
    ]


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS])
@given(series=st.dictionaries(st.tuples(names, names), values, min_size=1, max_size=5))
def test_a_gauge_is_read_as_it_was_meant_whatever_its_labels_hold(
    form: str, series: dict[tuple[str, str], float]
) -> None:
    family = Family("x_info", "gauge", "Some.", [(labels(a=one, b=two), v) for (one, two), v in series.items()])
    expected = [("gauge", "x_info", {"a": one, "b": two}, float(v)) for (one, two), v in series.items()]
    assert samples_of([family], form) == expected


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS])
def test_a_counter_keeps_its_name_in_both_forms(form: str) -> None:
    family = Family("x_total", "counter", "Some.", [(labels(a=1), 3)])
    assert samples_of([family], form) == [("counter", "x_total", {"a": "1"}, 3.0)]


@pytest.mark.parametrize(("form", "kind"), [(TEXT, "unknown"), (OPENMETRICS, "unknown")])
def test_a_value_of_no_type_has_none(form: str, kind: str) -> None:
    assert samples_of([Family("x", "untyped", "Some.", [("", 3)])], form) == [(kind, "x", {}, 3.0)]


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS])
def test_a_histogram_is_one(form: str) -> None:
    family = Family("x_seconds", "histogram", "Some.", histogram((0.5, 1), (2, 3, 4), 7.25, check="web"))
    assert samples_of([family], form) == [
        ("histogram", "x_seconds_bucket", {"check": "web", "le": "0.5"}, 2.0),
        ("histogram", "x_seconds_bucket", {"check": "web", "le": "1.0"}, 3.0),
        ("histogram", "x_seconds_bucket", {"check": "web", "le": "+Inf"}, 4.0),
        ("histogram", "x_seconds_count", {"check": "web"}, 4.0),
        ("histogram", "x_seconds_sum", {"check": "web"}, 7.25),
    ]


def test_what_is_not_known_leaves_no_trace() -> None:
    assert rendered([Family("x", "gauge", "Some.", [])], TEXT) == ""


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_written_as_prometheus_does(value: float) -> None:
    ((_, _, _, read),) = samples_of([Family("x", "gauge", "Some.", [("", value)])], TEXT)
    assert read == value or (math.isnan(read) and math.isnan(value))


def part(texts: list[str], version: list[object]) -> tuple[CachedSection, list[str]]:
    """A part that says the first text, and what it was made in."""
    made: list[str] = []

    def make(form: str) -> str:
        made.append(form)
        return texts[0]

    return CachedSection(lambda: version[0], make), made


def test_what_has_not_changed_is_not_made_again() -> None:
    texts, version = ["one\n"], [1]
    same, made = part(texts, version)  # type: ignore[arg-type]
    assert body.joined([same], TEXT) == b"one\n"
    texts[0] = "two\n"
    assert body.joined([same], TEXT) == b"one\n"
    assert gzip.decompress(body.gzipped([same], TEXT)) == b"one\n"
    assert made == [TEXT]
    version[0] = 2
    assert gzip.decompress(body.gzipped([same], TEXT)) == b"two\n"


def test_each_form_is_kept_for_itself() -> None:
    one, made = part(["x\n"], [1])
    for form in (TEXT, OPENMETRICS, TEXT, OPENMETRICS):
        body.joined([one], form)
    assert made == [TEXT, OPENMETRICS]


def test_a_part_without_a_version_is_made_each_time() -> None:
    one, made = part(["x\n"], [None])
    for _ in range(3):
        body.gzipped([one], TEXT)
    assert len(made) == 3


@given(st.lists(st.text(max_size=3000), max_size=6), st.binary(max_size=8))
def test_parts_that_were_compressed_alone_are_one_gzip_member(texts: list[str], end: bytes) -> None:
    sayable = [text.encode("utf-8", "replace").decode() for text in texts]
    parts = [CachedSection(lambda: 1, lambda _, text=text: text) for text in sayable]  # type: ignore[misc]
    expected = "".join(sayable).encode() + end
    compressed = body.gzipped(parts, TEXT, end)
    assert gzip.decompress(compressed) == expected
    # One member: a reader that stops after the first, as curl's does, has everything.
    import zlib

    reader = zlib.decompressobj(wbits=31)
    assert reader.decompress(compressed) == expected
    assert reader.eof
    assert reader.unused_data == b""
