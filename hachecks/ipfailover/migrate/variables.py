"""The variables of new pods, with the instant at which they change to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover import instant
from hachecks.ipfailover.settings import FIELDS
from hachecks.ipfailover.sources import env_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.ipfailover.variable import Given


def with_instant(given: Mapping[str, Given], stock: tuple[int, int], at: int) -> str:
    """An env file with the variables that are given; raises `ValueError` for one that no env file can hold.

    What depends on the stock version is written out: the pods are not told of a version.
    """
    texts = {name: one.text for name, one in given.items() if one.text.strip()}
    for variable in FIELDS.values():
        if len(variable.defaults) > 1:
            texts.setdefault(variable.name, variable.default(stock))
    return env_text({**texts, FIELDS["change_at"].name: instant.written(at)})
