"""The exporter's web configuration, in the format of Prometheus' exporter-toolkit."""
