"""OpenShift's ipfailover, offline: from its variables to VIPs, virtual router ids, and a plan of who serves what.

Everything here but `command` and `files` is a pure function of its input: no clock, no network, no Keepalived.
"""
