"""The comments at the head of a file: whose it is, where each value came from, and what is to be known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hachecks.ipfailover.preemption import Preemption
from hachecks.ipfailover.render.keywords import written
from hachecks.ipfailover.render.remarks import remarks
from hachecks.ipfailover.settings import FIELDS, RANGE_CHECKS
from hachecks.ipfailover.vips import Vips
from hachecks.verdict import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.render.target import Target

ELSEWHERE = (
    *("iptables_chain", "nftables_rule", "admin_emails", "smtp_server", "selector", "use_unicast", "replicas"),
    # The file is the same before the instant and after it: a reload for its sake alone would be one too many.
    "change_at",
)
"""Settings that a keepalived.conf has nothing of."""
BEGIN = "# keepalived.conf of "
"""By which a file is known as one of ours."""
LONGEST_VALUE = 60
LONGEST_LINE = 300
"""Characters, each of up to four bytes: Keepalived cuts lines of more than 1023 bytes, comments too."""


def header(target: Target) -> Iterator[str]:
    """The comments."""
    plan = target.plan
    yield f"{BEGIN}{target.node} in {plan.name}, for Keepalived {written(target.version)}."
    yield "# Made by hacheck ipfailover render: change what it is made of, not this file."
    yield "#"
    yield from (_comment(line) for line in _values(target))
    told = remarks(target)
    if told:
        yield "#"
        yield from (_comment(f"! {one_line(one)}") for one in told)
    yield ""


def _comment(text: str) -> str:
    """A line that ends in itself: a backslash at its end would take the next one into it."""
    text = text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 1] + "…"
    return f"# {text}." if text.endswith("\\") else f"# {text}"


def _values(target: Target) -> Iterator[str]:
    """Each variable that has a value, with where it came from."""
    settings = target.settings
    for field, variable in FIELDS.items():
        text = one_line(_shown(getattr(settings, field)))
        if field == "auth_hmac_mode" and not settings.auth_hmac_key_file:
            continue
        if field in ELSEWHERE or not text or variable.name == RANGE_CHECKS:
            continue
        text = text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
        yield f"{variable.name}: {text} ({_origin(target, variable.name)})"
    for number, command in settings.range_checks:
        name = RANGE_CHECKS.replace("<n>", str(number))
        yield f"{name}: {one_line(command)[:LONGEST_VALUE]} ({_origin(target, name)})"


def _origin(target: Target, name: str) -> str:
    place = target.settings.places.get(name)
    if place is None:
        return "default"
    return "environment" if place == name else one_line(place.replace(f": {name}", ""))


def _shown(value: Any) -> str:
    if isinstance(value, Vips):
        first, *rest = map(str, value.addresses)
        return f"{first} and {len(rest)} more" if rest else first
    if isinstance(value, Preemption):
        return {"delay": f"preempt_delay {value.seconds:g}", "immediate": "preempt"}.get(value.mode, value.mode)
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value))
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value in (0, "") and not isinstance(value, bool) else str(value)
