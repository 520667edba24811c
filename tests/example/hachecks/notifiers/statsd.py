"""The statsd notifier: counts of what instances became, as StatsD takes them."""

from __future__ import annotations

from hachecks.net.target import Target
from hachecks.net.transport import NetworkOptions
from hachecks.settings import option, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hachecks.deadline import Deadline
    from hachecks.messages.message import Message

PORT = 8125


@settings
class StatsdNotifier(NetworkOptions):
    """Count the states of instances in StatsD.

    One datagram for each event, such as `keepalived.master:1|c`. StatsD says nothing back: a datagram may be lost.
    """

    server: Target = option(default=Target.parse("127.0.0.1"), metavar="TARGET", help="HOST[:PORT] of StatsD.")
    case: Literal["lower", "upper"] = option(default="lower", help="How states are written.")

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        self.validate_network()

    def send(self, message: Message, deadline: Deadline) -> str:
        """Send a count for each event."""
        states = [event.state for change in message.changes for event in change.events]
        goal = Target(self.server.host, self.server.port or PORT, self.server.path)
        with self.datagrams(goal, deadline) as stream:
            for state in states:
                stream.sendall(f"keepalived.{state.lower() if self.case == 'lower' else state}:1|c".encode())
        return f"counted {len(states)} {'event' if len(states) == 1 else 'events'}"
