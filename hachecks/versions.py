"""`hacheck version`: what this installation consists of."""

from __future__ import annotations

import importlib.metadata
import platform

from hachecks import __version__
from hachecks.settings import option, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.registry import Output

CARRIED = ("click", "httpcore", "h11", "h2", "hpack", "hyperframe", "pg8000", "scramp", "PyMySQL", "tomli")


@settings
class Version:
    """Print the version."""

    flags_only = True

    verbose: bool = option(default=False, short="-v", help="Also the interpreter and every package that is carried.")

    def run(self, environ: Mapping[str, str], output: Output) -> bool:  # noqa: ARG002 - every command's
        """The version, and what else is asked for."""
        output.say(f"hacheck {__version__}")
        for line in carried() if self.verbose else ():
            output.say(line)
        return True


def carried() -> list[str]:
    """The interpreter, and the version of every package that checks stand on."""
    lines = [f"Python {platform.python_version()} ({platform.python_implementation()})"]
    for name in CARRIED:
        try:
            lines.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return lines
