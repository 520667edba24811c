"""Keepalived's track_file blocks, and what of them an instance tracks with which weight (track_file.c of 2.2.7)."""

from __future__ import annotations

import re
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hachecks.keepalived.files import Findings
    from hachecks.keepalived.parser import Statement

DRAIN = "drain"
"""What the name of the track_file begins with by which a node is drained."""
KEYWORDS = ("track_file", "vrrp_track_file")
DEFAULT_WEIGHT = 1
"""The number in the file is added to the priority as it is, where no weight is written."""
WEIGHT = re.compile(r"[+-]?[0-9]{1,4}", re.ASCII)
LARGEST = 254
FAULT = -254
"""What makes a FAULT of the number in a file times the weight, that or less; a weight of 0 makes it of any number."""
INT_MAX = 2**31 - 1


class TrackFile(NamedTuple):
    """A `track_file`; `begins` is what init_file puts there, None where Keepalived makes no file.

    `overwrites` says that it does so at each start, over what is there.
    """

    name: str
    path: str
    weight: int
    reverse: bool = False
    begins: int | None = None
    overwrites: bool = False

    @property
    def is_drain(self) -> bool:
        """Whether its name says that a node is drained by it."""
        return is_drain(self.name)


class Tracked(NamedTuple):
    """A file that an instance tracks, with the weight that counts there; `group` says that its sync group does."""

    file: TrackFile
    weight: int
    group: bool = False

    def adds(self, number: int) -> int:
        """What a number in the file adds to the priority; FAULT or less is FAULT."""
        sign = -1 if self.file.reverse else 1
        if not self.weight:
            return FAULT if bool(number) == (sign == 1) else 0
        return number * self.weight * sign

    @property
    def signed(self) -> int:
        """What 1 in the file adds to the priority; 0 where any number is FAULT."""
        return -self.weight if self.file.reverse else self.weight


def fault_number(weights: Iterable[int]) -> int:
    """The least number in a file that makes a FAULT of each of these weights; 0 where they are of both signs.

    A weight is what `Tracked.adds` makes of the number 1, and 0 stands for a FAULT of any number.
    """
    sizes = [weight for weight in weights if weight]
    if not sizes:
        return 1
    if min(sizes) < 0 < max(sizes):
        return 0
    number = -(FAULT // min(map(abs, sizes)))
    return number if sizes[0] < 0 else -number


def is_drain(name: str) -> bool:
    """Whether the name of a track_file says that a node is drained by it: `drain`, or what begins with `drain_`."""
    return name.partition("_")[0] == DRAIN


def track_file(block: Statement, findings: Findings) -> TrackFile | None:
    """What a block says; None where Keepalived passes over it."""
    if len(block.words) < 2:
        findings.tell(block.place, "a track_file has no name, and is passed over")
        return None
    name, path, weight, reverse = block.words[1], "", DEFAULT_WEIGHT, False
    begins, overwrites = None, False
    for one in block.nodes or ():
        keyword, *rest = one.words
        if keyword == "file" and rest and not path:
            path = rest[0]
        elif keyword == "weight" and rest and weight == DEFAULT_WEIGHT:
            number = weight_of(rest[0])
            weight = DEFAULT_WEIGHT if number is None else number
            reverse = reverse or rest[1:2] == ["reverse"]
            if number is None:
                why = f"track_file {name}: weight {rest[0]} is none of -254 to 254; Keepalived takes 1"
                findings.tell(one.place, why)
        elif keyword == "init_file":
            begins, overwrites = next((int(word) for word in rest if WEIGHT.fullmatch(word)), 0), "overwrite" in rest
    if not path:
        findings.tell(block.place, f"track_file {name} names no file, and is passed over")
        return None
    return TrackFile(name, path, weight, reverse, begins, overwrites)


def weight_of(text: str) -> int | None:
    """The weight that a word is; None where it is none."""
    return int(text) if WEIGHT.fullmatch(text) and abs(int(text)) <= LARGEST else None


def tracked(
    block: Statement, entries: Sequence[Statement], files: Mapping[str, TrackFile], findings: Findings
) -> tuple[Tracked, ...]:
    """The files that an instance or group tracks: those that stand above it."""
    found: dict[str, Tracked] = {}
    for entry in entries:
        name, *options = entry.words
        if name not in files:
            why = f"no track_file {name} stands above {block.words[1]}, which goes on without it"
            findings.tell(entry.place, why)
        elif name in found:
            findings.tell(entry.place, f"{block.words[1]} tracks {name} already; only the first counts")
        elif options and (options[0] != "weight" or len(options) < 2 or options[2:3] not in ([], *DIRECTIONS)):
            findings.tell(entry.place, f"{entry.text[:80]} is passed over; write {name} weight NUMBER")
        else:
            one = files[name]
            weight = weight_of(options[1]) if options else one.weight
            if weight is None:
                why = f"{entry.text[:80]}: the weight is none of -254 to 254; Keepalived takes {one.weight}"
                findings.tell(entry.place, why)
                weight = one.weight
            reverse = options[2] == "reverse" if options[2:] else one.reverse
            is_group = block.words[0] == "vrrp_sync_group"
            found[name] = Tracked(one._replace(reverse=reverse), weight, is_group)
    return tuple(found.values())


DIRECTIONS = (["reverse"], ["noreverse"])
