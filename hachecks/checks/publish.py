"""Publishing a verdict: it is left in the state directory, for the exporter and for notifications."""

from __future__ import annotations

import os

from hachecks import state
from hachecks.checks import results

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.checks.runner import RunOptions
    from hachecks.probes import Probe
    from hachecks.verdict import Verdict

PUBLISH_SECONDS = 0.2
"""Seconds to wait for the state directory at last: it may be on a file system that hangs."""


def publish(
    probe: Probe, verdict: Verdict, options: RunOptions, name: str, state_dir: str, then: Callable[[str], None]
) -> None:
    """Leave the verdict in the state directory; at most for a moment, and whatever becomes of it.

    `then` is given the directory of this user's own there.
    """

    def write() -> None:
        try:
            directory = state.directory(state_dir)
            if not options.counts_as_good(verdict.status):
                note_failure(verdict, directory, name)
            results.record_run(directory, name, probe_kind(probe), probe.subject, verdict, options)
            then(directory)
        except OSError:
            pass

    state.done_within(PUBLISH_SECONDS, write)


def probe_kind(probe: Probe) -> str:
    """By what name the registry has the probe: that of its module; `all` or `any` for a composition."""
    return getattr(probe, "composes", None) or type(probe).__module__.rpartition(".")[2]


def note_failure(verdict: Verdict, directory: str, name: str) -> None:
    """Leave the reason where notifications look for it, if it can be left there."""
    try:
        state.replace(os.path.join(directory, results.LAST_FAILURE), f"{name}: {verdict.reason}\n")
    except OSError:
        pass
