"""Ledgers of pods: the ids that the pods of given objects have, which is not what their variables alone come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.ledger import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.ipfailover.ledger import Ledger
    from hachecks.ipfailover.sources import Source

NAME = "OPENSHIFT_HA_CONFIG_NAME"


def kept_by(found: Sequence[Source]) -> Ledger:
    """What the ledgers of these pods hold, of each configuration what its own pods have; raises `Invalid`."""
    kept: Ledger = {}
    for source in found:
        if source.ledger:
            mine = source.given[NAME].text.strip() if NAME in source.given else ""
            ledger = read(source.ledger.text, source.ledger.place)
            kept.update({name: one for name, one in ledger.items() if name == mine or name not in kept})
    return kept
