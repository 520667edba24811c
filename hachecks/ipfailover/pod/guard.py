"""What keeps the pod's first process alive: a step that fails is told, once a minute, and the next one is done."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.ipfailover.pod.teller import Teller


def guarded(step: Callable[[], object], teller: Teller) -> bool:
    """Do it; returns whether nothing was raised."""
    try:
        step()
    except Exception as error:  # noqa: BLE001 - the VIPs of the node go down with this process
        (place,) = traceback.extract_tb(error.__traceback__)[-1:]
        where = f"{os.path.basename(place.filename)}:{place.lineno}"
        teller.rarely(f"{type(error).__name__} in {where}: {error}; what else is to be done is done")
        return False
    return True
