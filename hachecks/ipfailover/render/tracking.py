"""The file by which the agent tells Keepalived at once that the node is not well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.render.weight import weight
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hachecks.ipfailover.render.scripts import Script
    from hachecks.ipfailover.render.target import Target


def name(target: Target, scripts: Mapping[str, tuple[Script, ...]]) -> str:
    """The track_file's name; empty without one; raises `Invalid` where nothing would notice that the agent is gone."""
    settings = target.settings
    if not settings.track_file:
        return ""
    unguarded = next((vip for vip, of_vip in scripts.items() if not of_vip), None)
    if unguarded:
        where = settings.where("OPENSHIFT_HA_TRACK_FILE")
        raise Invalid(
            f"{where}: a file says nothing of an agent that is gone, and {unguarded} has no check beside it; set "
            "OPENSHIFT_HA_MONITOR_PORT or OPENSHIFT_HA_CHECK_SCRIPT"
        )
    return f"file_{settings.config_name.replace('-', '_')}"


def block(target: Target, called: str) -> Iterator[str]:
    """The track_file block: 1 until the agent says otherwise, since Keepalived takes a missing file for success."""
    if called:
        yield f"track_file {called} {{"
        yield f'    file "{target.settings.track_file}"'
        # Keepalived's own default would add the number in the file to the priority.
        yield f"    weight {weight(target)}"
        yield "    init_file 1 overwrite"
        yield "}"
        yield ""
