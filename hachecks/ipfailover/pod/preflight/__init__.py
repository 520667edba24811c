"""Preflight: what would keep this node from serving its VIPs, or have two nodes serve them, told before it speaks."""

from hachecks.ipfailover.pod.preflight.finding import Finding
from hachecks.ipfailover.pod.preflight.look import look, look_for

__all__ = ["Finding", "look", "look_for"]
