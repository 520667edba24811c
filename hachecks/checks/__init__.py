"""A check, from a command line or a table to a verdict that counts, and what is remembered of its runs."""
