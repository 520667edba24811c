"""Keepalived as it is: its configuration, its processes, its signals, its JSON, and how OpenShift sets it up."""

from hachecks.keepalived.configuration import Configuration, Unreadable, read_configuration

__all__ = ["Configuration", "Unreadable", "read_configuration"]
