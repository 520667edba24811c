"""Health checks that Keepalived can trust."""

__version__ = "0.1.0"
