"""The firewall of the configuration in force: opened when it is another, and looked after while it is the same.

All of it is done by errands of another process, whose answers are taken when they are there.
"""

from __future__ import annotations

import contextlib
from time import monotonic
from typing import TYPE_CHECKING

from hachecks.ipfailover.pod.firewall.apart import Apart
from hachecks.ipfailover.pod.firewall.errand import CLOSE, OPEN, Answer, Errand, Known, opening
from hachecks.ipfailover.pod.firewall.holders import Holder

if TYPE_CHECKING:
    from hachecks.ipfailover.render.target import Target

AGAIN = 60.0
"""Seconds after which it is seen whether the rules are still there: others replace all rules of a node."""


class Gate:
    """Lets VRRP in and out; `answer` is what came of it last, and `left` says what could not be closed.

    `is_open` tells whether an answer is there for what it was opened for: it is open, or it is known why not.
    `looked` is the monotonic instant at which the look at the rules began that the answer is of.
    """

    def __init__(self) -> None:
        self.answer = Answer()
        self.looked = 0.0
        self.left: list[str] = []
        self._targets: tuple[Target | None, Target | None] = None, None
        self._aim: Errand | None = None
        self.is_open = False
        self._known = Known()
        self._holder: Holder | None = None
        self._to_close: list[str] = []
        self._doing: Apart | None = None
        self._hangs: Apart | None = None
        self._next = 0.0

    @property
    def pid(self) -> int:
        """The process that is at it; 0 while there is none."""
        return self._doing.pid if self._doing else 0

    def open(self, target: Target, coming: Target | None = None) -> None:
        """Have it open for this node, and for what it is going to be at an instant that is named."""
        if (target, coming) != self._targets:
            self._targets, self._next = (target, coming), 0.0
            self._turn_to(opening(target, coming))
        self.look()

    def close(self) -> None:
        """Have the node's firewall as it was before."""
        if self._aim:
            self._leave(self._aim)
            if self._doing and self._doing.errand.kind == OPEN:
                self._doing.end()
        self._targets, self._aim, self.answer = (None, None), None, Answer()
        self.look()

    def is_closed(self) -> bool:
        """Whether that is done, as far as it could be."""
        self.look()
        return not (self._aim or self._doing or self._to_close)

    def give_up(self) -> None:
        """Wait for nobody any more."""
        if self._doing:
            self._take(self._doing, self._doing.give_up())

    def look(self) -> None:
        """Take the answer that is there, and begin with what is to be done."""
        if self._doing and self._doing.has_ended():
            self._take(self._doing, self._doing.answer())
        elif self._doing and self._doing.is_late:
            self._hangs = self._doing
            self.give_up()
        if self._hangs and self._hangs.is_gone():
            self._hangs = None
        if self._doing:
            return
        # First open, then close: who has another name is let in by the same change by which the old one is not.
        if self._aim and monotonic() >= self._next and not self._hangs:
            self._next = monotonic() + AGAIN
            self._begin(self._aim._replace(known=self._known))
        elif self._to_close:
            self._begin(Errand(CLOSE, self._to_close.pop(0)))

    def _turn_to(self, aim: Errand) -> None:
        if aim == self._aim:
            return
        if self._aim and self._aim.configuration != aim.configuration:
            self._leave(self._aim)
        self._aim, self._known, self.is_open = aim, Known(), False
        if aim.chain and not self._holder:
            self._holder = Holder(aim.configuration)
            with contextlib.suppress(OSError):  # others may take our rules away then, until the next look
                self._holder.hold()

    def _leave(self, aim: Errand) -> None:
        self._to_close.append(aim.configuration)
        if self._holder:
            self._holder.let_go()
            self._holder = None

    def _begin(self, errand: Errand) -> None:
        try:
            self._doing = Apart(errand)
        except OSError as error:
            self._keep(errand, errand.failed(error.strerror or str(error)), monotonic())

    def _take(self, done: Apart, answer: Answer) -> None:
        self._doing = None
        self._keep(done.errand, answer, done.since)

    def _keep(self, errand: Errand, answer: Answer, since: float) -> None:
        if errand.kind == CLOSE:
            self.left += answer.said
        elif self._aim and errand._replace(known=Known()) == self._aim:
            self.answer, self._known, self.looked, self.is_open = answer, answer.known, since, True
