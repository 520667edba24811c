"""Render: the keepalived.conf of one node, of its plan and settings, in the words that its Keepalived knows."""

from hachecks.ipfailover.render.file import rendered
from hachecks.ipfailover.render.options import Options
from hachecks.ipfailover.render.remarks import remarks
from hachecks.ipfailover.render.target import target

__all__ = ["Options", "remarks", "rendered", "target"]
