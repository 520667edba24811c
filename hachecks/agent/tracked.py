"""What hacheck.toml says of a check's track file, beside what keepalived.conf makes of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from hachecks.keepalived.configuration import hacheck_command
from hachecks.keepalived.track_files import fault_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hachecks.agent.check import AgentCheck
    from hachecks.checks.schedule import Schedule
    from hachecks.keepalived.configuration import Configuration, VrrpInstance
    from hachecks.keepalived.track_files import Tracked, TrackFile

AS_RENDERED = "as hacheck ipfailover render writes it"


class Judged(NamedTuple):
    """What is wrong with how a check is tracked, in sentences with the cure.

    `fault` is the number to be written in place of one that would do otherwise than declared: a node that fails is not
    to rank higher for it, nor to be kept where it is. None where the number is right.
    """

    sentences: tuple[str, ...] = ()
    fault: int | None = None


def judge(check: AgentCheck, configuration: Configuration) -> Judged:
    """How Keepalived takes what is written for a check; nothing is said where no configuration is known."""
    path = check.schedule.track_file
    if not path or not configuration.files or not configuration.instances:
        return Judged()
    where = f"[check.{check.name}]: track_file {path}"
    blocks = [one for one in configuration.track_files if os.path.realpath(one.path) == os.path.realpath(path)]
    if not blocks:
        block = f"track_file {check.name} {{ file {path} weight {_weight(check.schedule)} init_file 1 overwrite }}"
        return Judged((f"{where} is that of no track_file in keepalived.conf, and moves nothing; write {block}",))
    names = {one.name for one in blocks}
    tracking = [(one, file) for one in configuration.instances for file in one.files if file.file.name in names]
    if not tracking:
        return Judged((f"{where}: no instance tracks {blocks[0].name}; name it in its track_file",))
    wrong = _effect(check.schedule, tracking)
    sentences = [*_beside(check, blocks, tracking, configuration), *filter(None, (wrong,))]
    fault = (fault_number([file.signed for _, file in tracking]) or 1) if wrong else None
    return Judged(tuple(f"{where}: {one}" for one in sentences), fault)


def _weight(schedule: Schedule) -> str:
    """What weight the track_file is to have."""
    if schedule.weight is not None:
        return "1"
    return "0" if schedule.on_fail == "fault" else f"-N {AS_RENDERED}"


def _effect(schedule: Schedule, tracking: Sequence[tuple[VrrpInstance, Tracked]]) -> str:
    """What a failure does otherwise than it is declared; empty where it does just that."""
    weights = {file.signed for _, file in tracking}
    declared = "last-resort" if schedule.on_fail == "last-resort" else f"weight {schedule.weight}"
    lowers = schedule.on_fail == "last-resort" or schedule.weight is not None
    if any(not file.weight and file.file.reverse for _, file in tracking):
        return "reverse makes a FAULT of a check that is well; leave it out"
    nopreempt = next((one.name for one, _ in tracking if one.nopreempt), "")
    if lowers and nopreempt:
        return f"{declared} moves nothing under nopreempt ({nopreempt}); a failure is made a FAULT: leave it out"
    if schedule.weight is None and schedule.on_fail == "last-resort":
        wrong = max(weights) >= 0
    else:
        wrong = weights != {0 if schedule.weight is None else 1}
    if not wrong:
        return ""
    found = ", ".join(map(str, sorted(weights)))
    if not lowers:
        declared = "a failure that is a FAULT"
    return f"{declared} needs weight {_weight(schedule)} there, not {found}; until then a failure is made a FAULT"


def _beside(
    check: AgentCheck,
    blocks: Sequence[TrackFile],
    tracking: Sequence[tuple[VrrpInstance, Tracked]],
    configuration: Configuration,
) -> Iterator[str]:
    """What lets the file say that all is well when nobody has looked."""
    for block in blocks:
        if block.begins is None:
            yield f"{block.name} has no init_file, and a missing file counts as well; write init_file 1 overwrite"
    guards = {one.name for one in configuration.scripts if _guards(one.command, check.name)}
    unguarded = [one.name for one, _ in tracking if not guards & set(one.scripts)]
    if unguarded:
        yield (
            f"{_some(unguarded)} tracks no vrrp_script beside it that runs hacheck run {check.name}, and nobody "
            "notices when the agent is gone"
        )


def _guards(command: str, name: str) -> bool:
    return hacheck_command(command)[:2] == ("run", name)


def _some(names: Iterable[str]) -> str:
    first, *others = names
    return f"{first} and {len(others)} more" if others else first
