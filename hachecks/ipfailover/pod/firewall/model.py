"""Rules of a firewall as far as they can be understood, and what becomes of a packet among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

ACCEPT, DROP, RETURN, JUMP, GOTO = "accept", "drop", "return", "jump", "goto"
DEEPEST = 16
"""Jumps within jumps, as many as the kernel allows."""
MOST_STEPS = 20_000
"""Rules that are looked at for one packet: there may be a great many, by which nothing is dropped."""


class Rule(NamedTuple):
    """A rule for one packet: whether it matches, None where that is not known, and what it does then.

    `place` says for people where it is.
    """

    matches: bool | None
    verdict: str
    target: str
    place: str


class Chain(NamedTuple):
    """A chain: its rules, and its policy where packets come to it from the kernel; `place` is for its policy."""

    rules: Sequence[Rule]
    policy: str
    place: str


class Drop(NamedTuple):
    """Where a packet is dropped; `certain` is whether it surely comes there, and surely matches.

    `cure` is what lets it through there, and `is_preceded` whether a rule of ours would come before.
    """

    place: str
    certain: bool
    cure: str = ""
    is_preceded: bool = False


class Walk:
    """A packet's way through chains of one table, which knows each other by their names."""

    def __init__(self, chains: Mapping[str, Chain]) -> None:
        self.chains = chains
        self._certain = True
        """Whether nothing that it has passed may have let it through."""
        self._steps = 0

    def drops(self, name: str, *, sure: bool = True) -> Iterator[Drop]:
        """The places where it is dropped, or may be, from a chain that the kernel gives it to, surely or perhaps."""
        chain = self.chains[name]
        ended = yield from self._through(chain, 0, sure=sure)
        if not ended and chain.policy == DROP:
            yield Drop(chain.place, self._certain and sure)

    def _through(self, chain: Chain, depth: int, *, sure: bool) -> Generator[Drop, None, bool]:
        """Its drops on the way; returns whether its way surely ends there. `sure` is whether it surely came in."""
        for rule in chain.rules:
            self._steps += 1
            if self._steps > MOST_STEPS or depth > DEEPEST:
                self._certain = False
                return True
            if rule.matches is False:
                continue
            ended = yield from self._at(rule, depth, sure=sure and rule.matches is True)
            if rule.matches and ended:
                return True
            if rule.matches and rule.verdict in (RETURN, GOTO):
                return False
        return False

    def _at(self, rule: Rule, depth: int, *, sure: bool) -> Generator[Drop, None, bool]:
        """What a rule does; returns whether its way ends there if it matches."""
        if rule.verdict == DROP:
            yield Drop(rule.place, self._certain and sure)
            return True
        if rule.verdict in (ACCEPT, RETURN) and not sure:
            self._certain = False
        if rule.verdict in (JUMP, GOTO) and rule.target in self.chains:
            return (yield from self._through(self.chains[rule.target], depth + 1, sure=sure))
        return rule.verdict == ACCEPT
