"""An errand of the firewall in a process of its own: whoever has it done has others to look after, and may give it up.

It takes seconds where there are tens of thousands of rules, and for ever where the kernel hangs.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO

from hachecks.ipfailover.pod.firewall.errand import LOOK, Errand
from hachecks.verdict import one_line

if TYPE_CHECKING:
    from hachecks.ipfailover.pod.firewall.errand import Answer
    from hachecks.ipfailover.pod.firewall.passages import Passage

PATIENCE = 20.0
"""Seconds after which an errand is given up: nodes with tens of thousands of rules take two."""
WORDS = (sys.executable, "-m", "hachecks.ipfailover.pod.firewall")
LATE = (
    f"looking at it has not ended within {PATIENCE:g} s, and is not waited for; "
    "see how long nft list ruleset and iptables-save take here"
)


class Apart:
    """One errand, from its start; raises `OSError` where no process can be started for it."""

    def __init__(self, errand: Errand) -> None:
        self.errand = errand
        self.since = monotonic()
        # What comes of it stands in memory until it has ended: nobody waits for who reads a pipe.
        self._answer, self._complaints = _memory(), _memory()
        try:
            with _memory(pickle.dumps(errand)) as given:
                # Its session is its own, since it goes with the programs that it has started. Where we are, others may
                # write, and Python would look for our modules there first.
                self._process = subprocess.Popen(  # noqa: S603 - it is our own program
                    WORDS, stdin=given, stdout=self._answer, stderr=self._complaints, start_new_session=True, cwd="/"
                )
        except BaseException:
            self._forget()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_late(self) -> bool:
        """Whether it should have ended by now."""
        return monotonic() - self.since > PATIENCE

    def has_ended(self) -> bool:
        """Whether an answer is there."""
        return self._process.poll() is not None

    def wait(self) -> Answer:
        """The answer, as soon as there is one, or why there is none."""
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return self.give_up()
        return self.answer()

    def answer(self) -> Answer:
        """The answer of one that has ended, once, or why there is none."""
        try:
            if not self._process.returncode:
                answer: Answer = pickle.loads(_content(self._answer))  # noqa: S301 - a process of ours wrote it
                return answer
        except (EOFError, pickle.UnpicklingError):
            pass
        finally:
            said = one_line((_content(self._complaints).decode(errors="replace").splitlines() or [""])[-1])
            self._forget()
        return self.errand.failed(f"it cannot be looked at: {said or f'exit status {self._process.returncode}'}")

    def end(self) -> None:
        """Kill it, with all that it has started: the kernel has each change of rules done as a whole, or not at all."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def give_up(self) -> Answer:
        """End it, and wait for it no more; says why there is no answer."""
        self.end()
        self._forget()
        return self.errand.failed(LATE)

    def is_gone(self) -> bool:
        """Whether nothing of it is left: one that hangs in the kernel outlives its end."""
        if not self.has_ended():
            return False
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def _forget(self) -> None:
        self._answer.close()
        self._complaints.close()


def look(wanted: tuple[Passage, ...], interface: str) -> Answer:
    """Where these are dropped, or may be, by a process of its own that is waited for."""
    errand = Errand(LOOK, wanted=wanted, interface=interface)
    try:
        return Apart(errand).wait()
    except OSError as error:
        return errand.failed(error.strerror or str(error))


def _memory(content: bytes = b"") -> BinaryIO:
    """A file that is in no directory."""
    file: BinaryIO = open(os.memfd_create("hacheck-firewall"), "w+b", buffering=0)  # noqa: SIM115 - its user does
    file.write(content)
    file.seek(0)
    return file


def _content(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()
