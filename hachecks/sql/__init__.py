"""Databases: what they are asked, each in its own protocol, and how their answers are judged."""
