"""Render: the keepalived.conf of one node, of its plan and settings, in the words that its Keepalived knows."""

from hachecks.ipfailover.render.file import rendered
from hachecks.ipfailover.render.options import Options

__all__ = ["Options", "rendered"]
