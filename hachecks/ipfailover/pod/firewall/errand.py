"""What is asked of the firewall, and what comes of it: both go between process 1 and a process that has the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.family import family
from hachecks.ipfailover.pod.firewall.passages import passages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hachecks.ipfailover.pod.firewall.drops import Dropped
    from hachecks.ipfailover.pod.firewall.iptables import Backend
    from hachecks.ipfailover.pod.firewall.passages import Passage
    from hachecks.ipfailover.pod.firewall.table import Ours
    from hachecks.ipfailover.render.target import Target

OPEN, CLOSE, LOOK = "open", "close", "look"
INPUT = "INPUT"


class Known(NamedTuple):
    """The rules that were made last, in our table and by iptables: by them it is seen whether they are still there."""

    ours: Sequence[Ours] = ()
    lines: Mapping[Backend, Sequence[str]] = {}


class Answer(NamedTuple):
    """Sentences on what could not be done, where adverts are dropped nevertheless, and the rules that are there now.

    `are_all` is False where some rules could not be read.
    """

    said: tuple[str, ...] = ()
    drops: tuple[Dropped, ...] = ()
    known: Known = Known()
    are_all: bool = True


class Errand(NamedTuple):
    """What is to be done for a configuration: open it for what is `wanted`, close it, or look where that is dropped."""

    kind: str
    configuration: str = ""
    chain: str = ""
    wanted: tuple[Passage, ...] = ()
    interface: str = ""
    known: Known = Known()

    def failed(self, why: str) -> Answer:
        """What comes of it where it cannot be done."""
        what = "rules of the firewall may be left" if self.kind == CLOSE else "the firewall is left as it is"
        return Answer((f"{what}: {why}",), known=self.known, are_all=False)


def opening(target: Target, coming: Target | None = None) -> Errand:
    """To open it for a node, by the variables OPENSHIFT_HA_IPTABLES_CHAIN and OPENSHIFT_HA_NFTABLES_RULE.

    `coming` is what the node is going to be, for which it is open beforehand.
    """
    settings = target.settings
    chain = settings.iptables_chain or (INPUT if settings.nftables_rule else "")
    wanted = _wanted(target)
    if coming and coming.settings.config_name == settings.config_name:
        wanted = tuple(dict.fromkeys((*wanted, *_wanted(coming))))
    return Errand(OPEN, settings.config_name, chain, wanted, settings.interface)


def _wanted(target: Target) -> tuple[Passage, ...]:
    families = {family(vip) for one in target.plan.instances for vip in one.vips[: one.advertised]}
    return tuple(passages(families, target.peers if target.plan.unicast else ()))
