"""What is told of a migration: the VIPs with what parts their nodes, the price of a change at an instant, the way."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from hachecks.ipfailover import instant
from hachecks.ipfailover.against import MOVES
from hachecks.ipfailover.migrate.takeover import equal, obstacle
from hachecks.ipfailover.table import count
from hachecks.verdict import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hachecks.ipfailover.against import Change
    from hachecks.ipfailover.migrate.cases import Case
    from hachecks.ipfailover.migrate.promise import Promise
    from hachecks.ipfailover.plan import Plan

SAFE = (
    "Nothing is to be migrated: nodes with the old configuration and nodes with the new one elect one owner of each "
    "VIP. Change them one after another."
)
CANNOT = "Pods of the stock image cannot be told an instant: they read their variables once, when they start."


def parted(found: Iterable[Case]) -> Iterator[str]:
    """The VIPs that two elections would be about, those together that are for the same reasons."""
    by_reasons: dict[tuple[str, ...], list[str]] = {}
    for case in found:
        by_reasons.setdefault(_general(case), []).append(case.vip)
    for reasons, vips in by_reasons.items():
        others = f" and {len(vips) - 1} more" if len(vips) > 1 else ""
        yield f"{vips[0]}{others}: {'; and '.join(reasons)}"


def _general(case: Case) -> tuple[str, ...]:
    """The reasons, without what each VIP has for itself."""
    ids = f"its id was {case.was.id} and is {case.instance.id}"
    return tuple("its id is another" if reason == ids else reason for reason in case.reasons)


def at_an_instant(promised: Promise, clocks: float, changes: Sequence[Change]) -> Iterator[str]:
    """What a change at an instant costs, which has these changes in it."""
    without = f"up to {in_words(promised.outage)}" if promised.outage else "no time, since each master stays master"
    if not promised.outage and any(one.kind == MOVES for one in changes):
        without = "no time, since each master stays master until the plan's is there"
    yield f"When all nodes change at one instant, a VIP is without an owner for {without},"
    yield (
        f"and has two for at most {in_words(promised.two_owners)}, with clocks that are {in_words(clocks)} apart at "
        "most (chronyc tracking tells)."
    )


def notes(found: Sequence[Case]) -> Iterator[str]:
    """What else should be known of it."""
    anew = [case for case in found if not case.is_kept]
    modes = {case.plan.preemption.mode: case.plan.preemption for case in anew}
    if "nopreempt" in modes:
        yield "With nopreempt a VIP stays on the node that is the first to change, and not where the plan has it."
    elif "delay" in modes:
        yield (
            "A VIP may be on the node that is the first to change, and where the plan has it after "
            f"{modes['delay']} of preemption."
        )
    files = dict.fromkeys(case.plan.password[3:] for case in found if _is_new_file(case) and case.plan.password)
    if files:
        yield (
            f"Every pod needs {' and '.join(files)} before the instant: roll out the Secret first, by hacheck "
            "ipfailover manifests --secret NAME=DIR with the old variables."
        )
    if found and all(case.waits_for_new_nodes for case in found):
        yield (
            "Without an instant: change the old nodes one after another, and start the new ones when all of them have "
            "the new peers."
        )


def _is_new_file(case: Case) -> bool:
    """Whether the password comes to be in a file that pods may not have yet."""
    return case.plan.password != case.was_plan.password and str(case.plan.password).startswith("in /")


def of_ids(found: Sequence[Case], old: Sequence[Plan], new: Sequence[Plan], *, kept: bool) -> Iterator[str]:
    """That ids need not change, where they do because others came or went, or the old pods' ledger is not known."""
    if kept and any(case.was.id != case.instance.id for case in found):
        yield "The old pods have their ids from a ledger: give it by --ledger, and VIPs keep them."
        return
    before, after = ({vip for plan in plans for one in plan.instances for vip in one.vips} for plans in (old, new))
    if before != after and any(case.was.id != case.instance.id for case in found):
        yield "VIPs keep their ids while others come and go where a ledger has them: give --ledger."


def exchange(case: Case, other: str) -> str:
    """That a VIP gets an id that is in use, and what to do."""
    return (
        f"No reload can do this: {case.vip} would have the id {case.instance.id}, which {other} has now. Keepalived "
        "keeps an instance by its id, and takes an address away that another one has got meanwhile. Give --ledger, by "
        "which VIPs keep their ids, or an OPENSHIFT_HA_VRRP_ID_OFFSET after all ids that are in use."
    )


def replaced(found: Sequence[Case], silence: float) -> Iterator[str]:
    """The ways from pods that cannot reload."""
    yield CANNOT
    why = obstacle(found)
    if why:
        yield f"New pods cannot take their election over either, since {why}."
    else:
        yield "First roll out new pods with the election that the old ones have; that needs"
        yield from (f"    {name}={value}" for name, value in equal(found).items())
        yield "and then migrate these, at an instant. In this way no VIP has two owners."
    yield (
        "Or end all old pods before the first new one starts (strategy Recreate): no VIP has an owner from then on "
        f"until {in_words(silence)} after the first new pod is up."
    )


def of_pods(directory: str, files: Sequence[str], at: int) -> Iterator[str]:
    """What is to be done with the env files."""
    yield f"{directory} has {', '.join(files)} now. Put it where the pods have their variables, on every node before"
    yield f"{instant.written(at)}: they keep the old ones until then, and change together."


def of_nodes(directory: str, files: Sequence[str], at: int) -> Iterator[str]:
    """What is to be done with the directories of nodes."""
    nodes = sorted({os.path.dirname(file) for file in files})
    yield f"{directory} has {', '.join(nodes)} now. Before {instant.written(at)}, on every node:"
    yield f"    scp -r {shlex.quote(directory)}/NODE NODE:/etc/keepalived/change"
    yield "    ssh NODE sh /etc/keepalived/change/change.sh install"
    yield "Afterwards, also where a node was off at the instant, and there before Keepalived starts:"
    yield "    ssh NODE sh /etc/keepalived/change/change.sh settle"
    yield "Until it comes, change.sh cancel on every node lets all be as it was."


def otherwise(changes: Iterable[Change]) -> Iterator[str]:
    """What changes besides, in numbers, if anything does."""
    kinds: dict[str, int] = {}
    for one in changes:
        kinds[one.kind] = kinds.get(one.kind, 0) + 1
    said = [f"{count(number, 'VIP')} {_WORDS[kind][number != 1]}" for kind, number in kinds.items() if kind in _WORDS]
    if said:
        yield f"By that {', '.join(said)}."


_WORDS = {
    "moves": ("moves to another node", "move to other nodes"),
    "added": ("is new", "are new"),
    "removed": ("is served no more", "are served no more"),
}
