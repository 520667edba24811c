"""Instances that are not configured any more, though Keepalived's last word about them was FAULT or STOP.

Of an instance that a reload takes out, Keepalived says FAULT, unless it has `notify_deleted`; and nothing of one that
was taken out while it was stopped. Somebody would be called for ever.
"""

from __future__ import annotations

import os

from hachecks.keepalived.configuration import Unreadable, read_configuration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hachecks.transitions.event import Event

SAID = ("FAULT", "STOP")


def taken_out(latest: Iterable[Event], path: str) -> list[Event]:
    """The last words about instances that the configuration in this file does not name any more.

    Nothing where there is doubt: it is to be read whole, without conditions (which `-i` decides), to name an instance
    that Keepalived has spoken of, and to be younger than the state that was ended: another file would be older.
    """
    spoken = [event for event in latest if event.kind == "INSTANCE"]
    if not any(event.state in SAID for event in spoken):
        return []
    try:
        configuration = read_configuration(path)
        changed = max(os.stat(file).st_mtime for file in configuration.files)
        if configuration.findings or configuration.unfinished or any(map(_has_conditions, configuration.files)):
            return []
    except (Unreadable, OSError, ValueError):
        return []
    names = {instance.name for instance in configuration.instances}
    if names.isdisjoint(event.name for event in spoken):
        return []
    gone = (event for event in spoken if event.state in SAID and event.name not in names)
    return [event for event in gone if changed > (event.at if event.since is None else event.since)]


def _has_conditions(path: str) -> bool:
    """Whether lines of it are for some nodes only, such as `@node1 vrrp_instance VI_1 {`."""
    if os.path.isdir(path):
        return False
    with open(path, encoding="utf-8", errors="replace") as file:
        return any(line.lstrip().startswith("@") for line in file)
