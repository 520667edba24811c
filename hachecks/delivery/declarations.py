"""`hacheck checks`: what hacheck.toml declares, validated and listed."""

from __future__ import annotations

from hachecks.config import Configuration
from hachecks.delivery.channels import channels_of
from hachecks.node import ConfigOptions
from hachecks.settings import Invalid, settings
from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.registry import Output


@settings
class Checks(ConfigOptions):
    """Validate hacheck.toml and list the checks and notifiers it declares."""

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """A line for each check and notifier; raises `Invalid` at the first that cannot be built."""
        declared = Configuration.read(self.config)
        channels = channels_of(declared, environ)
        rows = [
            *declared.rows(environ),
            *((name, str(declared.notifiers[name]["notifier"]), "notifier") for name in channels),
        ]
        if not rows:
            raise Invalid(f"{self.config}: it declares neither a check nor a notifier; write [check.NAME]")
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        for row in rows:
            output.say(visible("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]])))
        return True
