"""Rules of ours in the chains of iptables and ip6tables, of either backend: inserted first, marked, and found again."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.family import IPV4
from hachecks.ipfailover.pod.firewall.marks import MADE, START, mark, marked
from hachecks.ipfailover.pod.firewall.programs import find, run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from hachecks.ipfailover.pod.firewall.passages import Passage

LEGACY, NFT = "legacy", "nft"
COMMANDS = {4: "iptables", 6: "ip6tables"}
TABLE_NAMES = {4: "/proc/net/ip_tables_names", 6: "/proc/net/ip6_tables_names"}
"""The tables of the legacy backend that are there. Asking it for one that is not would make it."""
OUTPUT = "OUTPUT"
WAIT = "5"
"""Seconds to wait for another program that changes rules."""


class Backend(NamedTuple):
    """iptables of a family, by one of the two ways in which the kernel has its rules."""

    family: int
    way: str

    @property
    def command(self) -> str:
        """The program, where its name alone does not say by which way it goes."""
        return f"{COMMANDS[self.family]}-{self.way}"

    @property
    def is_here(self) -> bool:
        """Whether the programs are on this node."""
        return bool(find(self.command) and find(f"{self.command}-restore") and find(f"{self.command}-save"))

    def built_in(self) -> set[str]:
        """Those of the kernel's own chains that are there; raises `Refused`.

        iptables lists them where they are not, and makes them when they are needed.
        """
        if self.way == LEGACY:
            return set(BUILT_IN) if self._has_table() else set()
        if find("nft"):
            listed = json.loads(run("nft", "-j", "list", "chains", "ip" if self.family == IPV4 else "ip6"))
            chains = (one["chain"] for one in listed.get("nftables", ()) if "chain" in one)
            return {str(one["name"]) for one in chains if one["table"] == "filter"}
        return set(BUILT_IN) if "*filter" in run(f"{self.command}-save").splitlines() else set()

    def _has_table(self, table: str = "filter") -> bool:
        try:
            with open(TABLE_NAMES[self.family], encoding="ascii") as file:
                return table in file.read().split()
        except OSError:
            return False

    def saved(self, table: str = "filter") -> list[str]:
        """What iptables-save has of a table, and says of it; raises `Refused`."""
        if self.way == LEGACY and not self._has_table(table):
            return []
        return run(f"{self.command}-save", "-t", table).splitlines()

    def lines(self) -> list[str]:
        """The chains and rules of the table in which ours are; raises `Refused`."""
        return [line for line in self.saved() if line.startswith((":", "-A"))]

    def holds_rules(self) -> bool:
        """Whether anybody has put something in; raises `Refused`."""
        return any(line.startswith("-A") or " ACCEPT " not in f"{line} " for line in self.lines())

    def has_chain(self, name: str) -> bool:
        """Whether a chain is there; raises `Refused`."""
        return name in BUILT_IN or any(line.startswith(f":{name} ") for line in self.lines())


BUILT_IN = ("INPUT", "FORWARD", "OUTPUT")


def backends(families: Iterable[int]) -> Iterator[Backend]:
    """Those that are on this node, for these families."""
    for family in families:
        for way in (NFT, LEGACY):
            one = Backend(family, way)
            if one.is_here:
                yield one


def put(
    backend: Backend,
    chain: str,
    configuration: str,
    wanted: Sequence[Passage],
    stale: Collection[str],
    before: Sequence[str] = (),
) -> Sequence[str]:
    """Have the rules of a configuration, once and before all others, and none of those that are stale.

    All of it is done or nothing. Returns the rules, and changes nothing where they are still those of `before`, and
    come first. Raises `Refused`.
    """
    lines, there = backend.lines(), backend.built_in()
    if before and not stale and _of(configuration, lines) == before and _are_first(lines, configuration):
        return before
    commands = list(_deletions(lines, {configuration, *stale}))
    ours = _made(lines)
    for one in reversed(wanted):
        name = chain if one.incoming else OUTPUT
        comment = mark(configuration, made=name in ours or (name in BUILT_IN and name not in there))
        commands += [f"-I {name} 1 {words} -m comment --comment {comment} -j ACCEPT" for words in _matches(one)]
    _restore(backend, commands)
    return _of(configuration, backend.lines())


def _of(configuration: str, lines: Iterable[str]) -> list[str]:
    return [line for line in lines if line.startswith("-A ") and _marked(line) == configuration]


def _are_first(lines: Iterable[str], configuration: str) -> bool:
    """Whether no rule of somebody else stands before those of a configuration, in any chain."""
    others: set[str] = set()
    for line in lines:
        if line.startswith("-A "):
            chain, owner = line.split()[1], _marked(line)
            if owner == configuration and chain in others:
                return False
            if not owner:
                others.add(chain)
    return True


def take(backend: Backend, configurations: Collection[str]) -> None:
    """Remove the rules of configurations, and a chain that was made for them when nothing is in it; raises `Refused`.

    Of a table that was made for them, an empty one stays: iptables has no word to remove it.
    """
    before = backend.lines()
    commands = list(_deletions(before, configurations))
    if not commands:
        return
    _restore(backend, commands)
    after = backend.lines()
    for name in _made(before) if backend.way == NFT else ():
        if not any(line.startswith(f"-A {name} ") for line in after) and f":{name} ACCEPT [" in "".join(after):
            run(backend.command, "-w", WAIT, "-X", name)


def holders(backend: Backend) -> set[str]:
    """The configurations that have rules there; raises `Refused`."""
    return {name for line in backend.lines() if (name := _marked(line))}


def _restore(backend: Backend, commands: Sequence[str]) -> None:
    if commands:
        text = "\n".join(["*filter", *commands, "COMMIT", ""])
        run(f"{backend.command}-restore", "-w", WAIT, "--noflush", given=text)


def _deletions(lines: Iterable[str], configurations: Collection[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith("-A ") and _marked(line) in configurations:
            yield f"-D {line[3:]}"


def _marked(line: str) -> str:
    """The configuration that a rule is for, or nothing."""
    if START not in line:  # a node may have thousands of others
        return ""
    try:
        words = shlex.split(line)
        return marked(words[words.index("--comment") + 1])
    except (ValueError, IndexError):
        return ""


def _made(lines: Iterable[str]) -> set[str]:
    """The chains that were not there before rules of ours."""
    return {line.split()[1] for line in lines if line.startswith("-A ") and _marked(line) and MADE in line}


def _matches(one: Passage) -> Iterator[str]:
    """The words of the rules for it: ICMPv6 has one for each type."""
    source = f"-s {one.source} " if one.source else ""
    destination = f"-d {one.destination} " if one.destination else ""
    words = f"{source}{destination}-p {one.protocol}"
    if not one.types:
        yield words
    yield from (f"-p ipv6-icmp -m icmp6 --icmpv6-type {number}" for number in one.types)
