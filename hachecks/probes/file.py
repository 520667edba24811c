"""The file probe: whether a file is there, and of the right age."""

from __future__ import annotations

import errno
import os
import stat
import time

from hachecks.settings import argument, option, settings
from hachecks.units import Duration
from hachecks.verdict import CannotLook, Verdict, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.deadline import Deadline

CLOCK_SKEW = 60.0
"""Seconds by which a modification time may lie in the future, as it does when another machine's clock wrote it."""

LEADING_NOWHERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


@settings
class FileProbe:
    """Look for a file: a maintenance switch or a heartbeat.

    PASS when the file is there, or with --absent when it is not. With --younger-than or --older-than its age (since it
    was last modified) must be so too. With --expires-after a file counts as absent once it is that old, so that a
    maintenance switch that was forgotten ends by itself.

    A link is followed. One that leads nowhere is neither a file nor absent: it never makes PASS, but may expire.
    UNKNOWN when the file cannot be looked at, for example for want of permission, when it is a directory, and when its
    age matters but lies in the future. The file is never opened, so a pipe or a device keeps nobody waiting.
    """

    path: str = argument(help="The file; an absolute path.")
    absent: bool = option(default=False, help="PASS when the file is absent.")
    younger_than: Duration | None = option(default=None, help="The file must have been modified within this time.")
    older_than: Duration | None = option(default=None, help="The file must have been left alone for this time.")
    expires_after: Duration | None = option(default=None, help="A file of this age counts as absent.")

    def validate(self) -> None:
        """Refuse what contradicts itself, and what depends on where the check happens to be started."""
        if not self.path.startswith("/"):
            raise ValueError(f"{self.path!r} is not an absolute path (Keepalived starts checks in /)")
        if "\0" in self.path or self.path.endswith("/"):
            raise ValueError(f"{self.path!r} is not the path of a file")
        if self.absent and (self.younger_than is not None or self.older_than is not None):
            raise ValueError("--absent goes with neither --younger-than nor --older-than; use --expires-after")

    @property
    def subject(self) -> str:
        """The path."""
        return self.path

    def check(self, deadline: Deadline) -> Verdict:
        """Look at what is there, and at its modification time."""
        with deadline.during("look"):
            found = self._look()
        if found is None:
            return self._judge(there=False, told=f"{self.path} does not exist")
        age = time.time() - found.st_mtime
        nowhere = stat.S_ISLNK(found.st_mode)
        told = f"{self.path} {'is a link that leads nowhere' if nowhere else 'exists'}, modified {in_words(abs(age))}"
        if age < -CLOCK_SKEW:
            if (self.younger_than, self.older_than, self.expires_after) != (None, None, None):
                raise CannotLook(f"{self.path} was modified {in_words(-age)} in the future; whose clock is wrong?")
            told = f"{told} in the future"
            return Verdict.failing(told, "status") if nowhere else self._judge(there=True, told=told)
        return self._judge_by_age(f"{told} ago", max(0.0, age), nowhere)

    def _judge_by_age(self, told: str, age: float, nowhere: bool) -> Verdict:
        measured = {"age_seconds": age}
        if self.expires_after is not None and age >= self.expires_after:
            return self._judge(there=False, told=f"{told}, expired after {in_words(self.expires_after)}", **measured)
        if nowhere:
            return Verdict.failing(told, "status", **measured)
        if self.younger_than is not None and age > self.younger_than:
            return Verdict.failing(f"{told}, longer than {in_words(self.younger_than)}", "status", **measured)
        if self.older_than is not None and age < self.older_than:
            return Verdict.failing(f"{told}, less than {in_words(self.older_than)}", "status", **measured)
        return self._judge(there=True, told=told, **measured)

    def _judge(self, *, there: bool, told: str, **measured: float) -> Verdict:
        good = there != self.absent
        return Verdict.passing(told, **measured) if good else Verdict.failing(told, "status", **measured)

    def _look(self) -> os.stat_result | None:
        """What is there, if anything; the link itself where it leads nowhere."""
        try:
            found = os.lstat(self.path)
            if stat.S_ISLNK(found.st_mode):
                found = self._follow(found)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CannotLook(f"cannot look at {self.path}: {error.strerror}") from None
        if stat.S_ISDIR(found.st_mode):
            raise CannotLook(f"{self.path} is a directory, not a file")
        return found

    def _follow(self, link: os.stat_result) -> os.stat_result:
        try:
            return os.stat(self.path)
        except OSError as error:
            if error.errno in LEADING_NOWHERE:
                return link
            raise CannotLook(f"cannot look at what {self.path} links to: {error.strerror}") from None
