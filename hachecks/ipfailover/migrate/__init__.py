"""Migrate: how a configuration takes the place of another without two owners, at what price, and the files for it."""
