"""Where the agent answers a load balancer, and for which check."""

from __future__ import annotations

from hachecks.exporter.options import Listen
from hachecks.settings import option, settings

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


class AgentPort:
    """An address to answer on, and the check that it is about; `name` is empty where whoever asks says it."""

    def __init__(self, listen: Listen, name: str) -> None:
        self.listen = listen
        self.name = name

    @classmethod
    def parse(cls, text: str) -> AgentPort:
        """From `[NAME=][HOST]:PORT`; raises `ValueError`."""
        name, equals, address = text.rpartition("=")
        if equals and (not name or not LETTERS.issuperset(name)):
            raise ValueError(f"{text!r} names no check; write NAME=:PORT, NAME=HOST:PORT or :PORT")
        return cls(Listen.parse(address), name)

    def __repr__(self) -> str:
        return f"{self.name}={self.listen!r}" if self.name else repr(self.listen)


@settings
class AgentCheckOptions:
    """What a load balancer is told."""

    heading = "What a load balancer is told"

    agent_check: tuple[AgentPort, ...] = option(
        default=(),
        metavar="[NAME=]ADDR",
        help="Answer HAProxy's agent-check on HOST:PORT, [::1]:PORT or :PORT, several times: for the check NAME, for "
        "the one that agent-send names, or for all together (an empty line). Have `check agent-check` in HAProxy, and "
        "agent-send on all servers or on none: it delays those that have none beside others that do.",
    )
