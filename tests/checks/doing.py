"""A probe that does what a test tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.verdict import CannotLook, Failure, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.deadline import Deadline


class Doing:
    """A probe that does one act after the other, and the last of them again and again."""

    subject = "it"

    def __init__(self, *acts: Callable[[Deadline], Verdict]) -> None:
        self.acts = list(acts)
        self.asked = 0

    def check(self, deadline: Deadline) -> Verdict:
        self.asked += 1
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        return act(deadline)


def passing(_: Deadline) -> Verdict:
    return Verdict.passing("it works")


def failing(_: Deadline) -> Verdict:
    raise Failure("it is broken")


def hindered(_: Deadline) -> Verdict:
    raise CannotLook("it is dark")


def buggy(_: Deadline) -> Verdict:
    raise KeyError("x")
