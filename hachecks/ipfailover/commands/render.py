"""`hacheck ipfailover render`: the keepalived.conf of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.commands.options import ConfigurationOptions
from hachecks.ipfailover.files import LedgerFile, Reader
from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.render import Options, rendered
from hachecks.ipfailover.render.keywords import parse
from hachecks.settings import Invalid, option, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.registry import Output


class KeepalivedVersion(str):
    """A version of Keepalived, such as 2.2.7."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> KeepalivedVersion:
        """From text; raises `ValueError`."""
        parse(text)
        return cls(text)


@settings
class RenderCommand(ConfigurationOptions):
    """Write the keepalived.conf that the plan comes to.

    It has the instances, ids and priorities that hacheck ipfailover plan shows for the same variables.

    Exit status 0, 2 for what cannot be understood; then nothing is written.
    """

    flags_only = True

    node: str = option(metavar="NODE", help="The node whose file it is, by the name or address that the plan has.")
    keepalived_version: KeepalivedVersion | None = option(
        default=None,
        metavar="VERSION",
        help="The Keepalived that reads it (default the stock image's where that is told, or 2.2.7).",
    )

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Print the file; raises `Invalid`."""
        configurations, _ = self.configurations(environ, Reader())
        file = LedgerFile(self.ledger) if self.ledger else None
        plans, _ = plan_all(configurations, self.kept(file), self.spread)
        if len(plans) > 1:
            raise Invalid(f"these are {len(plans)} configurations, each with a file of its own; give one")
        options = Options(parse(self.keepalived_version)) if self.keepalived_version else Options()
        output.say(rendered(plans[0], configurations[0], self.node, options).rstrip("\n"))
        return True
