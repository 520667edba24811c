"""What every probe promises.

A probe asks one question of one target. It is a `@settings` class whose fields are all there is to say about the
question, and whose docstring is the help a user reads: what makes it PASS, what makes it FAIL, what it does not do.

`check(deadline)` answers before the deadline or raises `TimedOut`; it returns a `Verdict`, or raises `Failure` (the
target's fault) or `CannotLook` (ours). It prints nothing, retries nothing, and catches only what it can name. Whatever
it opens it opens through `transport`, and closes. `subject` names the target in a reason, without secrets.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from hachecks.deadline import Deadline
    from hachecks.verdict import Verdict

    class Probe(Protocol):
        """One question of one target."""

        @property
        def subject(self) -> str:
            """The target, as a reason names it."""

        def check(self, deadline: Deadline) -> Verdict:
            """Ask, and answer before the deadline."""
