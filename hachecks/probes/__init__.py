"""What every probe promises.

A probe asks one question of one target. It is a `@settings` class whose fields are all there is to say about the
question, and whose docstring is the help a user reads: what makes it PASS, what makes it FAIL, what it does not do.

`check(deadline)` answers before the deadline or raises `TimedOut`; it returns a `Verdict`, or raises `Failure` (the
target's fault) or `CannotLook` (ours). It prints nothing, retries nothing, and catches only what it can name. Whatever
it opens it opens through `transport`, and closes. `subject` names the target in a reason, without secrets.

A probe that may have nothing to do for a while has `begin(deadline)` as well: it answers as `check` does, or with a
`Pause`, so that who asks many needs no thread for each that waits.
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

    class Pause(Protocol):
        """A question that goes on later."""

        began: float
        at: float
        """When it has begun, and when it may end, on the monotonic clock."""

        def end(self, deadline: Deadline) -> Verdict:
            """Answer as `Probe.check` does."""

    class Patient(Probe, Protocol):
        """A probe that can pause."""

        def begin(self, deadline: Deadline) -> Verdict | Pause:
            """Ask, and answer now or later."""
