"""The beat: what is looked at regularly is looked at together, since to wake costs as much as a look."""

from __future__ import annotations

import asyncio


async def beat(seconds: float) -> None:
    """Wait for the next multiple of so many seconds on the loop's clock, for which all others wait as well."""
    await asyncio.sleep(seconds - asyncio.get_running_loop().time() % seconds)
