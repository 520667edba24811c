"""The checks that hacheck.toml declares, as the agent runs them."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from hachecks.agent.check import AgentCheck
from hachecks.agent.memory import StreaksInMemory
from hachecks.agent.watch import targets as watched
from hachecks.checks.schedule import SHORTEST_INTERVAL
from hachecks.config import COMPOSING, Configuration
from hachecks.settings import Invalid
from hachecks.verdict import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def checks_of(path: str, environ: Mapping[str, str], running: Iterable[AgentCheck] = ()) -> list[AgentCheck]:
    """Every check of the file; raises `Invalid` at the first that cannot be built, or that the agent cannot run.

    What `running` has already, as it is declared now, is that check, with all that came of it so far.
    """
    _refuse_what_is_no_file(path)
    configuration = Configuration.read(path, StreaksInMemory())
    before = {check.name: check for check in running}
    found = []
    track_files: dict[str, str] = {}
    for name in configuration.tables:
        check = _check(configuration, name, environ)
        if check.schedule.track_file:
            other = track_files.setdefault(os.path.realpath(check.schedule.track_file), name)
            if other != name:
                raise Invalid(f"{path}: [check.{name}]: track_file {check.schedule.track_file} is that of {other}")
        goes_on = before.get(name)
        found.append(goes_on if goes_on and goes_on.declared == check.declared else check)
    return found


def _refuse_what_is_no_file(path: str) -> None:
    """Raise `Invalid` at a FIFO or a device: it would be waited for, and cannot be read again at a reload."""
    try:
        mode = os.stat(path).st_mode
    except OSError:  # it is told by whoever reads it
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise Invalid(f"{path}: it is no plain file; name the file with --config or HACHECK_CONFIG")


def _check(configuration: Configuration, name: str, environ: Mapping[str, str]) -> AgentCheck:
    """The check, newly built; raises `Invalid`."""
    where = f"{configuration.path}: [check.{name}]"
    schedule = configuration.schedule(name)
    check = AgentCheck(
        name, *configuration.build(name, {}, environ), schedule, _declaration(configuration.tables, name)
    )
    watched.refuse(where, check.probe, schedule)
    if check.interval < SHORTEST_INTERVAL:
        told = f"interval {in_words(check.interval)} is shorter than {in_words(SHORTEST_INTERVAL)}"
        raise Invalid(f"{where}: {told}, the shortest that the agent keeps")
    fast = schedule.fast_interval
    if fast is not None and fast >= check.interval:
        raise Invalid(
            f"{where}: fast_interval {in_words(fast)} is not shorter than interval {in_words(check.interval)}"
        )
    if fast is not None and not check.options.needs_memory:
        raise Invalid(f"{where}: fast_interval needs rise or fall of 2 or more; with 1 the first answer counts")
    return check


def _declaration(tables: Mapping[str, Mapping[str, object]], name: str) -> str:
    """All that the file says of a check, its members included; it contains no circle, or it could not be built."""
    said, coming = [], [name]
    while coming:
        table = tables[coming[0]]
        said.append(repr((coming.pop(0), sorted(table.items()))))
        for key in COMPOSING:
            coming += [str(member) for member in table.get(key, ())]  # type: ignore[attr-defined]
    return "\n".join(said)
