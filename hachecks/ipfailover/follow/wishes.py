"""What one node wants of all that is shared: its variables, and the Services as it sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hachecks.ipfailover.follow.services import Service
    from hachecks.ipfailover.ledger import Ledger
    from hachecks.ipfailover.settings import Settings


class Wishes(NamedTuple):
    """What one node wants: its variables, the range of addresses, the way to spread, and the Services as it sees them.

    `begun` is the ledger to begin with where nothing is shared yet.
    """

    settings: Settings
    room: tuple[str, ...]
    spread: str | None
    services: tuple[Service, ...]
    begun: Ledger = {}  # noqa: RUF012 - nobody changes it

    @property
    def own(self) -> tuple[str, ...]:
        """The VIPs of the variables."""
        return tuple(map(str, self.settings.virtual_ips.addresses))

    @property
    def name(self) -> str:
        """The configuration's name."""
        return self.settings.config_name

    def in_order(self) -> list[Service]:
        """The Services, the oldest first: it has an address that two ask for."""
        return sorted(self.services, key=lambda one: (one.created, one.key))
