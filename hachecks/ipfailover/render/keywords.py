"""Keywords of Keepalived by the version that knows them first: no file has one that its reader does not know."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import TypeAlias

Version: TypeAlias = "tuple[int, int, int]"

OLDEST: Version = (2, 1, 5)
"""That of the stock image before 4.15 (RHEL 8); nothing older is rendered for."""
STOCK_SINCE_4_15: Version = (2, 2, 8)
"""That of the stock image since 4.15 (RHEL 9)."""
DEFAULT: Version = (2, 2, 7)
"""Debian 12's: what is rendered for it is understood by every later version as well."""
SINCE: dict[str, Version] = {
    "unicast_fault_no_peer": (2, 2, 7),
    "reload_check_config": (2, 2, 7),
    "timer_expired_backup": (2, 2, 8),
    "vrrp_delay_after_boot": (2, 4, 0),
    "auth_hmac": (2, 4, 0),
}
"""Keywords that are younger than the oldest version, by Keepalived's release notes and manual."""
PATTERN = re.compile(r"v?([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{1,2})", re.ASCII)


def parse(text: str) -> Version:
    """A version as `2.2.7`; raises `ValueError` for one that is too old."""
    found = PATTERN.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no version of Keepalived; expected 2.2.7 or the like")
    version = int(found[1]), int(found[2]), int(found[3])
    if version < OLDEST:
        raise ValueError(f"{text} is older than {written(OLDEST)}, for which nothing is rendered")
    return version


def written(version: Version) -> str:
    """A version as people write it."""
    return ".".join(map(str, version))


def knows(version: Version, keyword: str) -> bool:
    """Whether a version has the keyword."""
    return version >= SINCE.get(keyword, OLDEST)


def of_stock(stock: tuple[int, int]) -> Version:
    """The version that the stock image of an OpenShift has."""
    return STOCK_SINCE_4_15 if stock >= (4, 15) else OLDEST
