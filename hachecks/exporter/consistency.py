"""Consistency: whether Keepalived, the addresses and the configuration agree, in plain words for a person at 3 a.m."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.exporter.view import Instance, View
    from hachecks.keepalived.configuration import VrrpInstance


@dataclass(frozen=True)
class Headline:
    """How things are, in one sentence: `tone` is bad, unknown, warn or good.

    `count` is how many VIPs are wrong or not known, or of all when none is; `but` says in a few words each what is not
    well beside.
    """

    tone: str
    sentence: str
    count: int
    but: tuple[str, ...] = ()


def expected(state: str, keepalived_runs: bool | None) -> bool | None:
    """Whether an instance in this state has its VIPs; None where the state is not known."""
    if state == "UNKNOWN":
        return False if keepalived_runs is False else None
    return state == "MASTER"


def mismatch(address: str, state: str, keepalived_runs: bool | None, present_on: Sequence[str], wanted: bool) -> str:
    """The contradiction in one sentence; empty when the VIP is just where it is to be."""
    if wanted == bool(present_on):
        return ""
    says = f"Keepalived says {state}"
    if wanted:
        return f"{says}, but {address} is on no interface"
    if keepalived_runs is False:
        says = "Keepalived does not run"
    return f"{says}, but {address} is {'still ' if keepalived_runs is False else ''}on {' and '.join(present_on)}"


def headline(view: View) -> Headline:
    """Whether the VIPs are where Keepalived says."""
    but = tuple(_but(view))
    tone, sentence, count = _wrong(view) or _not_known(view) or ("", "", 0)
    if not tone:
        tone, sentence, count = "warn" if but else "good", _well(view), len(view.vips) or len(view.instances)
    return Headline(tone, sentence, count, tuple(one for one in but if not sentence.startswith(one)))


def _wrong(view: View) -> tuple[str, str, int] | None:
    wrong, unknown = (sum(one.contradicts for one in view.vips), sum(one.is_unknown for one in view.vips))
    if not wrong and view.conflicts:
        return "bad", f"{_count(len(view.conflicts), 'conflict')} with other nodes on the segment", len(view.conflicts)
    if not wrong:
        return None
    are = f"{wrong} of {_count(len(view.vips), 'VIP')} {'is' if wrong == 1 else 'are'}"
    gone = view.keepalived_runs is False
    sentence = f"Keepalived does not run, and {are} still here" if gone else f"{are} not where Keepalived says"
    return "bad", sentence + (f"; of {unknown} it is not known" if unknown else ""), wrong


def _not_known(view: View) -> tuple[str, str, int] | None:
    total, unknown, silent = len(view.vips), sum(one.is_unknown for one in view.vips), len(view.silent)
    if not (total or (view.instances and view.knows_configuration)):
        return "unknown", "Not known: which VIPs this node has", 0
    if unknown:
        which = f"{unknown} of {_count(total, 'VIP')}" if unknown < total else f"the {'VIP' if total == 1 else 'VIPs'}"
        verb = "is" if 1 in (unknown, total) else "are"
        return "unknown", f"Not known: whether {which} {verb} where Keepalived says", unknown
    if silent:
        return "unknown", f"Not known: the state of {silent} of {_count(len(view.instances), 'instance')}", silent
    if view.keepalived_runs is None:
        return "unknown", "Not known: whether Keepalived runs", total
    return None


def _well(view: View) -> str:
    total = len(view.vips)
    if not total:
        return f"{_count(len(view.instances), 'instance')} without VIPs"
    if view.keepalived_runs is False:
        return f"Keepalived does not run, and {'the VIP is' if total == 1 else 'its VIPs are'} not here"
    return "The VIP is where Keepalived says" if total == 1 else f"All {total} VIPs are where Keepalived says"


def _but(view: View) -> Iterator[str]:
    """What is not well though every VIP may be where Keepalived says."""
    counts = (
        (sum(instance.state == "FAULT" for instance in view.instances), "instance in FAULT", "instances in FAULT"),
        (sum(check.status == "FAIL" for check in view.checks), "check fails", "checks fail"),
        (sum(check.status == "UNKNOWN" for check in view.checks), "check cannot look", "checks cannot look"),
        (sum(bool(notifier.trouble) for notifier in view.notifiers), "notifier in trouble", "notifiers in trouble"),
        (sum(not source.up for source in view.sources), "source down", "sources down"),
        (len(view.findings), "finding in the configuration", "findings in the configuration"),
        (len(view.conflicts), "conflict with other nodes", "conflicts with other nodes"),
    )
    yield from (f"{count} {one if count == 1 else many}" for count, one, many in counts if count)
    if view.keepalived_runs is False:
        yield "Keepalived does not run"
    if view.drained:
        yield f"drained {view.drained}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def unspoken(instances: Sequence[Instance], keepalived_runs: bool | None) -> Iterator[str]:
    """What is missing for a full picture: the word of Keepalived."""
    silent = [instance.name for instance in instances if instance.state == "UNKNOWN"]
    if silent and keepalived_runs is not False:
        yield (
            f"Keepalived has said nothing of {_some(silent)} yet: "
            'give each vrrp_instance the line notify "sh /etc/keepalive/hacheck notify" '
            "(/usr/bin/sh where script_user is not root), and see whether Keepalived's log says that it disables it"
        )


def shared_vips(configured: Sequence[VrrpInstance]) -> Iterator[str]:
    """The VIPs that more than one instance names, which Keepalived itself does not mind."""
    names_by_address: dict[str, list[str]] = {}
    for instance in configured:
        for one in instance.addresses:
            names_by_address.setdefault(one.address, []).append(instance.name)
    for address, names in names_by_address.items():
        if len(names) > 1:
            yield f"{address} is a VIP of {_some(names)}: leave it to one of them"


def _some(names: Sequence[str]) -> str:
    """`a, b and c`, or `a, b, c and 252 more`."""
    shown = list(names) if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
