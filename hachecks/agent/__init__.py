"""The agent: one resident process beside Keepalived that runs the checks, the delivery and the exporter."""
