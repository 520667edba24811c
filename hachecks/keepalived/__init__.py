"""Keepalived as it is: its configuration, its processes, its signals, its JSON, and how OpenShift sets it up."""
