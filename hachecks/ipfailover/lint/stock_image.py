"""The stock image as lint knows it: what it does with a configuration, how it is called, and how bad that is.

Where the version is told, by `--stock` or by the image of a workload, the stock image is what runs, and a finding has
the severity of its rule. Where it is not, the variables may be for `hacheck ipfailover render`, which does them right
or refuses them by a rule of its own: then a finding is a note on what the newest stock image would do otherwise, and
rules about what it always does are silent.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.rule import NOTE, Found
from hachecks.ipfailover.settings import VARIABLES
from hachecks.ipfailover.stock.simulation import Simulation, simulate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.ipfailover.lint.subject import Configuration, Subject

REMEMBERED = 64
"""Simulations, of which all rules of one configuration need the same."""
SHOWN = 60
"""Characters of a list of VIPs in a sentence."""


def image(one: Configuration) -> str:
    """What it is called: with its version, and whether that is assumed."""
    major, minor = one.settings.stock
    return f"the stock image {major}.{minor}" if one.stock else f"the stock image ({major}.{minor} is assumed)"


def configurations(subject: Subject, *, told: bool = False) -> Iterator[Configuration]:
    """The configurations that are here as a whole, but for those that `hacheck ipfailover run` has.

    With `told` those alone that run by the stock image.
    """
    known = (one for one in subject.configurations if one.given and not one.partial and not one.run)
    return (one for one in known if runs(one) or not told)


def runs(one: Configuration) -> bool:
    """Whether the stock image is what runs, since its version is told, or the image is OpenShift's."""
    return bool(one.stock) or one.is_stock


def simulated(one: Configuration) -> Simulation:
    """What the stock image does with a configuration, on any node."""
    return _simulated(environ(one), one.settings.stock)


def environ(one: Configuration) -> tuple[tuple[str, str], ...]:
    """The variables that the stock image is given."""
    return tuple(
        (name, given.text) for name, given in one.given.items() if name in VARIABLES and not VARIABLES[name].ours
    )


@lru_cache(maxsize=REMEMBERED)
def _simulated(variables: tuple[tuple[str, str], ...], stock: tuple[int, int]) -> Simulation:
    return simulate(dict(variables), stock)


def found(one: Configuration, variable: str, what: str, cure: str = "") -> Found:
    """A finding about a variable of a configuration; a note where nobody says that the stock image runs."""
    return Found(one.where(variable), what, cure, "" if runs(one) else NOTE)


def in_words(addresses: Sequence[str]) -> str:
    """VIPs as a sentence names them."""
    text = spelled(addresses) or "nothing"
    return text if len(text) <= SHOWN else f"{len(addresses)} VIPs from {addresses[0]} to {addresses[-1]}"


def spelled(addresses: Sequence[str]) -> str:
    """VIPs as every version of the stock image takes them: ranges within the last part, and of IPv6 none."""
    runs = []
    for _, run in groupby(enumerate(addresses), lambda one: _run(*one)):
        members = [address for _, address in run]
        last = members[-1].rpartition(".")[2]
        runs.append(members[0] if len(members) == 1 else f"{members[0]}-{last}")
    return ",".join(runs)


def _run(index: int, address: str) -> object:
    """The same for those addresses that a range can have."""
    if ":" in address:
        return index
    base, _, last = address.rpartition(".")
    return base, int(last) - index
