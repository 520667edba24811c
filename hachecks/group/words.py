"""The group in words: its headline, its document, and its lines in a terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from hachecks.group.differences import listed
from hachecks.group.judgement import FAULTS, NOBODY, TWICE, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.group.judgement import Group, Member


class Headline(NamedTuple):
    """How the group is, in one sentence: `tone` is bad, unknown, warn or good.

    `vips` is of how many it speaks; `but` says in a few words each what is not well beside.
    """

    tone: str
    sentence: str
    vips: int
    but: tuple[str, ...]


def headline(group: Group) -> Headline:
    """Whether each VIP is served once."""
    counts = Counter(vip.served for vip in group.vips)
    total, but = len(group.vips), tuple(_but(group))
    wrong = sum(counts[one] for one in FAULTS)
    if wrong:
        said = [_part(counts[one], total, f"served {one}") for one in (TWICE, NOBODY) if counts[one]]
        unknown = f"; of {counts[UNKNOWN]} it is not known" if counts[UNKNOWN] else ""
        return Headline("bad", _as_sentence(f"{', and '.join(said)}{unknown}"), wrong, but)
    if not total:
        return Headline("unknown", "Not known: which VIPs the group has", 0, but)
    if counts[UNKNOWN]:
        return Headline("unknown", f"Not known: whether {_part(counts[UNKNOWN], total, 'served')}", total, but)
    sentence = "The VIP is served once" if total == 1 else f"All {total} VIPs are served once"
    return Headline("warn" if but else "good", sentence, total, but)


def _part(count: int, total: int, what: str) -> str:
    if count == total:
        return f"the VIP is {what}" if total == 1 else f"all {total} VIPs are {what}"
    return f"{count} of {total} VIPs {'is' if count == 1 else 'are'} {what}"


def _as_sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _but(group: Group) -> Iterator[str]:
    silent, nodes = len(group.silent), len(group.members)
    if silent:
        yield f"{silent} of {nodes} nodes {'is' if silent == 1 else 'are'} silent"
    for what, names in (
        ("in trouble", [one.name for one in group.members if one.answer and not one.answer.agrees]),
        ("drained", [one.name for one in group.members if one.answer and one.answer.drain]),
    ):
        if names:
            yield f"{listed(names)} {'is' if len(names) == 1 else 'are'} {what}"
    differ = len(group.differences)
    if differ:
        yield f"{differ} {'difference' if differ == 1 else 'differences'} between nodes"


def document(group: Group) -> dict[str, Any]:
    """The group as plain values; times are seconds of the epoch, and null is what is not known."""
    top = headline(group)
    return {
        "headline": top.sentence,
        "but": list(top.but),
        "well": group.well,
        "disagreements": list(group.troubles),
        "differences": list(group.differences),
        "nodes": [_node(one) for one in group.members],
        "vips": [
            {
                "vip": vip.address,
                "served": vip.served,
                "owners": vip.owners,
                "present_on": list(vip.on),
                "master_on": list(vip.masters),
                "not_known_on": list(vip.unsure),
            }
            for vip in group.vips
        ],
    }


def _node(member: Member) -> dict[str, Any]:
    answer = member.answer
    return {
        "node": member.name,
        "peer": member.peer or None,
        "answers": answer is not None,
        "trouble": member.trouble,
        "silent_since": member.since,
        "last_answer": member.answered,
        "version": answer.version if answer else None,
        "agrees": answer.agrees if answer else None,
        "headline": answer.headline if answer else None,
        "drain": answer.drain if answer else None,
    }


def state_of(member: Member) -> str:
    """How a node is, in a few words."""
    if member.answer is None:
        return f"silent: {member.trouble}"
    return f"drained {member.answer.drain}" if member.answer.drain else member.answer.headline
