"""The exporter: sources are looked at, a snapshot is what they say, and its view becomes metrics, page and document."""
