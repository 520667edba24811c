"""Prometheus' exposition formats: metric families as text, in which the labels of a series are written once for all.

`prometheus_client` takes 43 ms for 3,060 series, on the event loop; this takes 0.5 ms. The tests hold the two against
each other.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
TEXT, OPENMETRICS = "text", "openmetrics"
UNTYPED = {TEXT: "untyped", OPENMETRICS: "unknown"}


class Family(NamedTuple):
    """A metric family: `kind` is gauge, counter, histogram or untyped; a counter's name ends with `_total`.

    Each sample is what follows the name (the suffix of a histogram's series, and the labels), and the value.
    """

    name: str
    kind: str
    meaning: str
    samples: Sequence[tuple[str, float]]


def labels(**values: object) -> str:
    """`{a="1",b="2"}`, escaped."""
    return _written(tuple(values.items()))


@lru_cache(maxsize=16384)
def _written(values: tuple[tuple[str, object], ...]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in values) + "}"


def _escaped(value: object) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode().translate(ESCAPES)


def rendered(families: Iterable[Family], form: str) -> str:
    """The families as text of this form, those without samples left out; OpenMetrics still wants its end."""
    lines: list[str] = []
    for name, kind, meaning, samples in families:
        if not samples:
            continue
        told = name[: -len("_total")] if form == OPENMETRICS and kind == "counter" else name
        lines.append(f"# HELP {told} {meaning}")
        lines.append(f"# TYPE {told} {UNTYPED[form] if kind == 'untyped' else kind}")
        lines += [f"{name}{labels} {_number(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n" if lines else ""


def _number(value: float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return repr(value) if value is not True and value is not False else str(int(value))


def histogram(bounds: Sequence[float], counts: Sequence[int], total: float, **of: object) -> list[tuple[str, float]]:
    """The samples of a histogram whose `counts` are cumulative, the last for all that was observed."""
    return [
        *(("_bucket" + labels(**of, le=float(bound)), count) for bound, count in zip(bounds, counts)),
        ("_bucket" + labels(**of, le="+Inf"), counts[-1]),
        ("_count" + labels(**of), counts[-1]),
        ("_sum" + labels(**of), total),
    ]
