"""`hashlib`, for MD5 where it is asked for: `hashlib` loads OpenSSL."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def md5(data: bytes) -> Any:
    """The hash object; raises `ValueError` where FIPS is enforced."""
    import hashlib

    return hashlib.md5(data)  # noqa: S324 - PostgreSQL's choice
