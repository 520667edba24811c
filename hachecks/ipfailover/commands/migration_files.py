"""The files by which nodes change at an instant, by their names: of pods, and of a Keepalived without hachecks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hachecks.ipfailover.commands.render import OPEN, SECRET, nodes_of_files
from hachecks.ipfailover.migrate import on_node
from hachecks.ipfailover.migrate.variables import with_instant
from hachecks.ipfailover.render import rendered
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hachecks.ipfailover.plan import Plan
    from hachecks.ipfailover.render import Options
    from hachecks.ipfailover.settings import Settings
    from hachecks.ipfailover.sources import Source
    from hachecks.ipfailover.variable import Given


def of_pods(
    sources: Sequence[Source], configurations: Sequence[Settings], flags: Mapping[str, Given], at: int
) -> dict[str, tuple[str, int]]:
    """An env file for each configuration; raises `Invalid` for what no env file can hold."""
    files = {}
    for source, one in zip(sources, configurations):
        try:
            text = with_instant({**source.given, **flags}, one.stock, at)
        except ValueError as error:
            raise Invalid(f"{source.place}: {error}") from None
        files[f"{one.config_name}.env"] = (text, OPEN)
    return files


def of_nodes(
    plans: Sequence[Plan], configurations: Sequence[Settings], options: Sequence[Options], at: int
) -> dict[str, tuple[str, int]]:
    """The new keepalived.conf of each node and the script, in a directory; raises `Invalid` for what cannot be one."""
    files = {}
    for plan, one, how in zip(plans, configurations, options):
        for node in nodes_of_files(plan, one):
            directory = os.path.join(plan.name, node) if len(plans) > 1 else node
            files[os.path.join(directory, on_node.NEXT)] = (
                rendered(plan, one, node, how),
                SECRET if how.password else OPEN,
            )
            files[os.path.join(directory, on_node.SCRIPT)] = on_node.script(at), OPEN
    return files
