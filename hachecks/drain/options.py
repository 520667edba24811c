"""The settings of a drain that several commands share."""

from __future__ import annotations

from hachecks.settings import option, settings


@settings
class DrainOptions:
    """The file that Keepalived tracks, which says whether the node is drained, and who wants that until when."""

    heading = "Where a drain is kept"

    drain_file: str = option(
        default="",
        metavar="FILE",
        help="The file by which the node is drained (default: that of the track_file in keepalived.conf whose name "
        "begins with drain_).",
    )
