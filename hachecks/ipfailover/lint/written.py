"""A keepalived.conf as rules look at it: its instances and scripts with the lines that say something of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.variable import Place
from hachecks.keepalived.instance import whole_number
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.keepalived.configuration import VrrpInstance, VrrpScript, Written
    from hachecks.keepalived.parser import Statement

TRACKING = ("track_script", "track_file", "track_process")


class Conf(NamedTuple):
    """A file; `name` is what it is called in messages."""

    name: str
    written: Written

    def at(self, place: tuple[str, int], what: str = "") -> Place:
        """A place that the parser names, which may be in a file that is included."""
        file, line = place
        what = visible(what)
        return Place(": ".join(filter(None, (f"{file or self.name}:{line}", what))), file or self.name, line, what)

    def place(self, statement: Statement | None, what: str = "") -> Place:
        """The place of a statement."""
        return self.at(statement.place if statement else (self.name, 1), what)

    def blocks(self, keyword: str) -> Iterator[Statement]:
        """The blocks of a kind."""
        return (one for one in self.written.statements if one.words[0] == keyword)

    def default(self, keyword: str) -> Place | None:
        """The place of a keyword in global_defs; None where it is not there."""
        if keyword not in self.written.defaults:
            return None
        return self.place(next(self.blocks("global_defs"), None), "global_defs")

    def instances(self) -> Iterator[Instance]:
        """Its instances, each with its block."""
        blocks = {one.words[1]: one for one in self.blocks("vrrp_instance") if len(one.words) > 1}
        for read in self.written.configuration.instances:
            if read.name in blocks:
                yield Instance(self, blocks[read.name], read)

    def scripts(self) -> Iterator[Script]:
        """Its scripts, each with its block: of one name only the first counts."""
        blocks: dict[str, Statement] = {}
        for one in self.blocks("vrrp_script"):
            if len(one.words) > 1:
                blocks.setdefault(one.words[1], one)
        for read in self.written.configuration.scripts:
            if read.name in blocks:
                yield Script(self, blocks[read.name], read)


class Instance(NamedTuple):
    """A `vrrp_instance`: its block, and what Keepalived makes of it."""

    conf: Conf
    block: Statement
    read: VrrpInstance

    def place(self, statement: Statement | None = None) -> Place:
        """The place of a line of it, or of the whole."""
        return self.conf.place(statement or self.block, self.read.name)

    def line(self, keyword: str) -> Statement | None:
        """Its last line with a keyword."""
        return next((one for one in reversed(self.block.nodes or []) if one.words[0] == keyword), None)

    def value(self, keyword: str) -> str:
        """The word after a keyword, nothing where it is not there."""
        line = self.line(keyword)
        return "".join(line.words[1:2]) if line else ""

    @property
    def version(self) -> int:
        """Of VRRP."""
        if self.read.family == "ipv6":
            return 3
        default = "".join(self.conf.written.defaults.get("vrrp_version", ())[:1])
        return whole_number(self.value("version") or default, 2, 3) or 2

    @property
    def advert_seconds(self) -> float | None:
        """What is written for advert_int, 1 where nothing is; None where it is no number."""
        try:
            return float(self.value("advert_int") or 1)
        except ValueError:
            return None

    @property
    def is_strict(self) -> bool:
        """Whether it keeps to the letter of the protocol."""
        line = self.line("strict_mode")
        if line:
            return "".join(line.words[1:2]) in ("", "on", "true", "yes")
        return "vrrp_strict" in self.conf.written.defaults

    @property
    def peers(self) -> tuple[str, ...]:
        """The addresses in unicast_peer, as they are written."""
        line = self.line("unicast_peer")
        return tuple(one.words[0] for one in (line.nodes or () if line else ()))

    def tracked(self) -> Iterator[tuple[str, Statement, str]]:
        """What it tracks, by kind: the line of each name, and the weight that stands there."""
        for one in self.block.nodes or ():
            if one.words[0] in TRACKING:
                for entry in one.nodes or ():
                    rest = entry.words[1:]
                    weight = rest[rest.index("weight") + 1 :][:1] if "weight" in rest else []
                    yield one.words[0], entry, "".join(weight)


class Script(NamedTuple):
    """A `vrrp_script`: its block, and what Keepalived makes of it."""

    conf: Conf
    block: Statement
    read: VrrpScript

    def place(self, keyword: str = "") -> Place:
        """The place of its last line with a keyword, or of the whole."""
        lines = [one for one in self.block.nodes or () if one.words[0] == keyword]
        return self.conf.place(lines[-1] if lines else self.block, self.read.name)

    def value(self, keyword: str) -> str:
        """The word after a keyword, nothing where it is not there."""
        lines = [one for one in self.block.nodes or () if one.words[0] == keyword]
        return "".join(lines[-1].words[1:2]) if lines else ""
