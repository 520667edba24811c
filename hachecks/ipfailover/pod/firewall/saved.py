"""The rules of iptables, as iptables-save lists them: what becomes of a packet in the chains of its tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hachecks.ipfailover.pod.firewall.model import ACCEPT, DROP, GOTO, JUMP, RETURN, Chain, Drop, Rule, Walk
from hachecks.ipfailover.pod.firewall.packet import all_of, either, negated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from hachecks.ipfailover.pod.firewall.packet import Packet

TARGETS = {"ACCEPT": ACCEPT, "DROP": DROP, "REJECT": DROP, "RETURN": RETURN}
WORDS = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')
QUOTED = re.compile(r"\\(.)")
FILTER = "filter"
WAY_IN = {"raw": ("PREROUTING",), "mangle": ("PREROUTING", "INPUT"), FILTER: ("INPUT",), "security": ("INPUT",)}
WAY_OUT = {"raw": ("OUTPUT",), "mangle": ("OUTPUT", "POSTROUTING"), FILTER: ("OUTPUT",), "security": ("OUTPUT",)}
"""The chains to which the kernel gives what comes in or goes out, by their tables."""
TABLES = tuple(WAY_IN)
NOTRACK = {"--notrack", "NOTRACK"}
MODULES = ("comment", "conntrack", "pkttype", "state", "addrtype")
"""Matches that are understood, by the options that they bring."""


def drops(packet: Packet, tables: Mapping[str, Iterable[Sequence[str]]], command: str) -> Iterator[Drop]:
    """Where a packet is dropped, or may be, by what a command of iptables has saved, each line in its words."""
    ways = WAY_IN if packet.passage.incoming else WAY_OUT
    for table, bases in ways.items():
        chains = read(tables.get(table, ()), packet, command, table)
        for base in bases:
            for drop in Walk(chains).drops(base) if base in chains else ():
                yield drop._replace(cure=_cure(command, table, base), is_preceded=table == FILTER)


def may_untrack(packet: Packet, tables: Mapping[str, Iterable[Sequence[str]]]) -> bool:
    """Whether there is a rule by which its connection may not be followed."""
    rules = (words for words in tables.get("raw", ()) if words[0] == "-A" and not NOTRACK.isdisjoint(words))
    return any(_rule(list(words[2:]), packet, "").matches is not False for words in rules)


def _cure(command: str, table: str, base: str) -> str:
    if table == FILTER:
        return f"{command} -I {base} 1 -p 112 -j ACCEPT, or set OPENSHIFT_HA_IPTABLES_CHAIN=INPUT"
    return f"{command} -t {table} -I {base} 1 -p 112 -j ACCEPT"


def read(lines: Iterable[Sequence[str]], packet: Packet, command: str, table: str = FILTER) -> dict[str, Chain]:
    """The chains in lines of iptables-save, with what each rule means to a packet."""
    there = command if table == FILTER else f"table {table} of {command}"
    rules: dict[str, list[Rule]] = {}
    policies: dict[str, str] = {}
    for first, *words in lines:
        if first.startswith(":"):
            policies[first[1:]] = TARGETS.get(words[0], "") if words else ""
        elif first == "-A" and words:
            chain = words[0]
            number = len(rules.setdefault(chain, [])) + 1
            rules[chain].append(_rule(words[1:], packet, f"rule {number} of chain {chain} in {there}"))
    return {
        name: Chain(rules.get(name, ()), policy, f"the policy of chain {name} in {there}")
        for name, policy in policies.items()
    }


def words_of(line: str) -> list[str]:
    """The words of a line, of which those with blanks stand in double quotes.

    shlex does the same in a hundred times as long, and a node may have thousands of rules.
    """
    return [QUOTED.sub(r"\1", word[1:-1]) if word[:1] == '"' == word[-1:] else word for word in WORDS.findall(line)]


def _rule(words: list[str], packet: Packet, place: str) -> Rule:
    matches: list[bool | None] = []
    verdict = target = ""
    while words:
        word, not_it = words.pop(0), False
        if word == "!" and words:
            word, not_it = words.pop(0), True
        value = words[0] if words and not words[0].startswith(("-", "!")) else ""
        if value:
            del words[0]
        if word in ("-j", "-g"):
            verdict = TARGETS.get(value, GOTO if word == "-g" else JUMP)
            target = value
            # What follows are the target's own options.
            break
        if False not in matches:
            answer = _match(word, value, packet)
            matches.append(negated(answer) if not_it else answer)
    return Rule(all_of(matches), verdict, target, place)


def _match(word: str, value: str, packet: Packet) -> bool | None:
    if word in ("-m", "--match"):
        return True if value in MODULES else packet.has_protocol(value)
    if word == "--comment":
        return True
    if word in ("--ctstate", "--state"):
        return either(packet.has_state(state) for state in value.split(","))
    asked: Callable[[str], bool | None] | None = {
        "-p": packet.has_protocol,
        "-s": packet.is_from,
        "-d": packet.is_to,
        "-i": packet.comes_by,
        "-o": packet.goes_by,
        "--pkt-type": packet.is_cast,
        "--dst-type": packet.is_cast_to,
    }.get(word)
    return asked(value) if asked else None
