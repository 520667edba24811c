"""The one file: how `dist/hacheck` is made."""
