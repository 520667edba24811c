"""The firewall: what VRRP needs is let in and out as the host has its rules, and told where others drop it."""

from hachecks.ipfailover.pod.firewall.errand import opening
from hachecks.ipfailover.pod.firewall.firewall import Firewall

__all__ = ["Firewall", "opening"]
