"""What somebody adds to the exporter who has it in his own process: the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from aiohttp import web

    from hachecks.checks.results import CheckResults
    from hachecks.exporter.body import CachedSection
    from hachecks.exporter.own_answer import OwnAnswer
    from hachecks.exporter.sources import Sources
    from hachecks.exporter.view import View
    from hachecks.group.judgement import Group


class Additions:
    """Nothing is added; whoever adds something says what."""

    def results(self) -> Iterable[CheckResults]:
        """The checks that are run in this process."""
        return ()

    @property
    def version(self) -> int:
        """A number that is another when one of these has news."""
        return 0

    def alike(self) -> Mapping[str, str]:
        """A fingerprint of each declared check, which all nodes of a group are to have alike."""
        return {}

    def know_itself(self, own: OwnAnswer, view: Callable[[], View]) -> None:
        """Learn what this node says of itself to its group, and how a view of it is had."""

    def group(self) -> Group | None:
        """The nodes that share VIPs with this one; None where nobody has said who these are."""
        return None

    @property
    def group_version(self) -> int:
        """A number that is another when the group has news."""
        return 0

    def sections(self) -> list[CachedSection]:
        """Metrics."""
        return []

    def routes(self) -> list[web.RouteDef]:
        """Paths."""
        return []

    def tasks(self, sources: Sources) -> list[Coroutine[Any, Any, None]]:  # noqa: ARG002
        """What runs on the loop as long as the exporter does."""
        return []

    def not_ready(self) -> str:
        """Why it is not ready, in a few words; empty when it is."""
        return ""

    def not_healthy(self) -> str:
        """Why it is to be started anew, in a few words; empty while it does its work."""
        return ""

    def close(self) -> None:
        """The exporter begins to end; nothing is waited for here."""

    async def ended(self) -> None:
        """The exporter has ended, and waits for this, for as long as a part of a second."""
