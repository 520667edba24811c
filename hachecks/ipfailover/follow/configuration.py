"""The variables to which the VIPs of Services are added, read anew when a file with them has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.exporter.configuration import signature
from hachecks.ipfailover.files import LedgerFile, Reader
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.ipfailover.commands.options import ConfigurationOptions
    from hachecks.ipfailover.ledger import Ledger
    from hachecks.ipfailover.settings import Settings


class Configuration:
    """What options and the environment say."""

    def __init__(self, options: ConfigurationOptions, environ: Mapping[str, str]) -> None:
        self._options = options
        self._environ = environ
        self._files = [*options.files, *options.env_file, *filter(None, (options.nodes_file, options.ledger))]
        self._made_of: object = None
        self._read: tuple[Settings, Ledger] | None = None

    def read(self) -> tuple[Settings, Ledger, str | None]:
        """The settings, the ledger to begin with, and how to spread; raises `Invalid`."""
        made_of = signature(self._files)
        if self._read is None or made_of != self._made_of:
            found, _ = self._options.configurations(self._environ, Reader())
            if len(found) != 1:
                raise Invalid(
                    f"these are {len(found)} configurations; VIPs of Services are added to one, name that alone"
                )
            file = LedgerFile(self._options.ledger) if self._options.ledger else None
            self._read, self._made_of = (found[0], self._options.kept(file, begins=True)), made_of
        return (*self._read, self._options.spread)
