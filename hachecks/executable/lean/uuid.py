"""`uuid`, for a nonce."""

from __future__ import annotations

from posix import urandom


def uuid4() -> str:
    """A random number in hexadecimal digits, 122 bits of which are random in a UUID, and all 128 here."""
    return urandom(16).hex()
