"""What every notifier that speaks HTTP is set up with in its test module, so that all are held to the same promises."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from hachecks.registry import NOTIFIERS
from hachecks.services.http_options import HttpOptions
from hachecks.settings import build
from tests.servers import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.notifiers import Notifier


class Contract(NamedTuple):
    """A notifier's settings for a server, what the service says when it takes a message, and what nobody may see.

    A test module has them by name in its CONTRACTS.
    """

    kind: str
    table: Callable[[str], dict[str, Any]]
    secrets: tuple[str, ...] = ()
    good: Route = Route(b"thanks")
    needs_body: bool = False
    pause: float | None = None
    """Seconds to wait after a 429 that names no time."""
    meets_the_zoo: bool = True
    """False where another contract sends in the same way."""

    def notifier(self, url: str) -> Notifier:
        """The notifier, as hacheck.toml would have it."""
        notifier: Notifier = build(NOTIFIERS[self.kind].load(), self.kind, {}, {}, self.table(url), "hacheck.toml")
        return notifier


def over_http() -> list[str]:
    """The notifiers that speak HTTP."""
    return [kind for kind, entry in NOTIFIERS.items() if issubclass(entry.load(), HttpOptions)]


def contracts() -> dict[str, Contract]:
    """All contracts, out of the test modules of the notifiers that speak HTTP."""
    found: dict[str, Contract] = {}
    for kind in over_http():
        found |= import_module(f"tests.notifiers.test_{kind}").CONTRACTS
    return found
