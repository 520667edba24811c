"""Rules about the track files of a keepalived.conf: those of checks, and the one by which a node is drained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.conf_instances import instances
from hachecks.ipfailover.lint.rule import ERROR, WARNING, Found, rule
from hachecks.keepalived.track_files import KEYWORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject
    from hachecks.ipfailover.lint.written import Conf
    from hachecks.keepalived.parser import Statement
    from hachecks.keepalived.track_files import TrackFile

SOURCE = "keepalived, track_file.c"
TRIED = "tried with 2.2.7"


def files(conf: Conf) -> Iterator[tuple[TrackFile, Statement]]:
    """Every track_file with its block: of one name only the first counts."""
    blocks: dict[str, Statement] = {}
    for keyword in KEYWORDS:
        for one in conf.blocks(keyword):
            if len(one.words) > 1:
                blocks.setdefault(one.words[1], one)
    for file in conf.written.configuration.track_files:
        if file.name in blocks:
            yield file, blocks[file.name]


def _line(block: Statement, keyword: str) -> Statement | None:
    return next((one for one in block.nodes or () if one.words[0] == keyword), None)


@rule(
    "HA253",
    WARNING,
    "a drain in which not every instance takes part",
    why="hacheck drain refuses to move a part of a node's VIPs: what is drained is to be empty afterwards.",
    cure="name the file in the track_file of each instance, as hacheck ipfailover render --drain-file does",
    evidence="hacheck drain",
)
def undrained(subject: Subject) -> Iterator[Found]:
    """Instances that do not track the file that others are drained by."""
    for conf in subject.confs:
        drains = {file.name for file, _ in files(conf) if file.is_drain}
        for one in conf.instances() if drains else ():
            if not drains & {file.file.name for file in one.read.files}:
                yield Found(one.place(), f"it does not track {' or '.join(sorted(drains))}, and would not move")


@rule(
    "HA254",
    WARNING,
    "a track_file without init_file",
    why="Keepalived takes a file that is not there for 0, which is success: until somebody writes it, a node counts as "
    "well that nobody has looked at.",
    cure="write init_file 1 overwrite for a check, and init_file 0 for a drain",
    evidence=f"{SOURCE}; {TRIED}",
)
def no_beginning(subject: Subject) -> Iterator[Found]:
    """Files that Keepalived does not make."""
    for conf in subject.confs:
        for file, block in files(conf):
            if file.begins is None:
                yield Found(conf.place(block, file.name), "until it is written it counts as success")


@rule(
    "HA255",
    ERROR,
    "a track_file without a weight",
    why="The default is 1, not 0: the number in the file is added to the priority, so that a 1, which is to say that "
    "the check fails, has the node rank higher.",
    cure="write weight 0, by which every other number than 0 is a FAULT",
    evidence=f"keepalived.conf(5), track_file; {SOURCE}",
)
def default_weight(subject: Subject) -> Iterator[Found]:
    """Files of checks that are tracked with the weight that nobody has written."""
    for conf in subject.confs:
        for file, block in files(conf):
            if _line(block, "weight") is None and not file.is_drain and _counts_as_it_is(conf, file.name):
                yield Found(conf.place(block, file.name), "what it says is added to the priority")


def _counts_as_it_is(conf: Conf, name: str) -> bool:
    lines = [entry for one in conf.instances() for kind, entry, weight in one.tracked() if kind == "track_file"]
    return any(entry.words[0] == name and "weight" not in entry.words for entry in lines)


@rule(
    "HA256",
    WARNING,
    "a track_file that nobody tracks",
    why="A track_file counts only where an instance or group names it in its own track_file; Keepalived forgets it "
    "else, and does not even say so.",
    cure="name it in the track_file of an instance, or leave it out",
    evidence=SOURCE,
)
def untracked_file(subject: Subject) -> Iterator[Found]:
    """Files that no instance names."""
    for conf in subject.confs:
        tracked = {file.file.name for one in conf.written.configuration.instances for file in one.files}
        for file, block in files(conf):
            if file.name not in tracked:
                yield Found(conf.place(block, file.name), "no instance tracks it")


@rule(
    "HA257",
    ERROR,
    "a drain that is a FAULT",
    why="With weight 0 every number is a FAULT: a VIP that no other node can take is then on none, where a lower "
    "priority would have left it where it is.",
    cure="write a negative weight for each instance, as hacheck ipfailover render --drain-file does",
    evidence="hacheck drain refuses it",
)
def fatal_drain(subject: Subject) -> Iterator[Found]:
    """Instances that are drained by FAULT alone."""
    for one in instances(subject):
        for file in one.read.files:
            if file.file.is_drain and not file.weight:
                yield Found(one.place(one.line("track_file")), f"{file.file.name} makes it FAULT")


@rule(
    "HA258",
    WARNING,
    "a drain that a restart changes",
    why="init_file with overwrite puts its number in the place of what is there each time that Keepalived starts: a "
    "drain ends, or begins, by a restart that has nothing to do with it.",
    cure="write init_file 0",
    evidence=SOURCE,
)
def forgotten_drain(subject: Subject) -> Iterator[Found]:
    """Files of drains that Keepalived overwrites, or begins drained."""
    for conf in subject.confs:
        for file, block in files(conf):
            if file.is_drain and (file.overwrites or file.begins):
                what = f"each start makes it {file.begins}" if file.overwrites else f"it begins as {file.begins}"
                yield Found(conf.place(_line(block, "init_file"), file.name), what)


RULES = (undrained, no_beginning, default_weight, untracked_file, fatal_drain, forgotten_drain)
