"""The echo probe: whether a server says back what it is told (RFC 862)."""

from __future__ import annotations

from hachecks.net.target import Endpoint
from hachecks.net.transport import NetworkOptions
from hachecks.settings import argument, option, settings
from hachecks.verdict import Failure, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hachecks.deadline import Deadline

ENDS = {"line": b"\r\n", "nothing": b""}


class Word:
    """Some letters, and nothing else."""

    @staticmethod
    def parse(text: str) -> str:
        """The word; raises `ValueError`."""
        if not (text.isascii() and text.isalpha()):
            raise ValueError(f"{text!r} is not a word (letters only)")
        return text


@settings
class EchoProbe(NetworkOptions):
    """Say a word to an echo service, and hear it back.

    PASS when the word comes back. FAIL when something else does, or the server closes, or says nothing in time.
    """

    target: Endpoint = argument(metavar="TARGET", help="HOST:PORT of the service.")
    word: Word = option(default="hello", metavar="WORD", help="What is said.")
    end: Literal["line", "nothing"] = option(default="line", help="What is said after the word.")

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        self.validate_network()

    @property
    def subject(self) -> str:
        """The target."""
        return str(self.target)

    def check(self, deadline: Deadline) -> Verdict:
        """Say it, and read as much."""
        said = str(self.word).encode() + ENDS[self.end]
        heard = b""
        with self.connect(self.target, deadline) as stream, deadline.during("dialogue"):
            stream.sendall(said)
            while len(heard) < len(said) and said.startswith(heard):
                part = stream.recv(len(said) - len(heard))
                if not part:
                    raise Failure(f"{self.target} closed the connection after {len(heard)} of {len(said)} bytes")
                heard += part
        if heard != said:
            raise Failure(f"{self.target} says something else")
        return Verdict.passing(f"{self.target} says it back")
