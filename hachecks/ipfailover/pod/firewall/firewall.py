"""The firewall of a configuration on this node: opened before the first advert, closed after the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.pod.firewall import iptables, table
from hachecks.ipfailover.pod.firewall.drops import Drops
from hachecks.ipfailover.pod.firewall.errand import INPUT, Answer, Known
from hachecks.ipfailover.pod.firewall.holders import Holder, alone
from hachecks.ipfailover.pod.firewall.passages import VRRP
from hachecks.ipfailover.pod.firewall.programs import Refused, find

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from hachecks.ipfailover.pod.firewall.drops import Dropped
    from hachecks.ipfailover.pod.firewall.errand import Errand
    from hachecks.ipfailover.pod.firewall.iptables import Backend
    from hachecks.ipfailover.pod.firewall.passages import Passage

OPTION = "OPENSHIFT_HA_IPTABLES_CHAIN"
NO_PROGRAM = "there is neither nft nor iptables here, so VRRP is not let in; install one, or let it in yourself"
RIGHTS = ("permitted", "ermission denied", "must be root")
"""What programs say who lack CAP_NET_ADMIN."""


class Firewall:
    """Lets VRRP in and out for one configuration, in the chain that is asked for; without one it makes no rule.

    The rule is made where the host has its own: in the chains of iptables, of the backend that holds any, and else in a
    table of nftables that is ours. Whoever has it open is its `Holder`. Both take as long as programs take, and start
    some, whose status nobody else may collect meanwhile: process 1 has them done by an errand.
    """

    def __init__(
        self,
        configuration: str,
        chain: str,
        wanted: Sequence[Passage],
        interface: str = "",
        known: Known | None = None,
    ) -> None:
        """`known` are the rules that were made last, where that is known."""
        self.configuration = configuration
        self.chain = chain
        self.wanted = wanted
        self.interface = interface
        self._known = known or Known()

    @classmethod
    def of(cls, errand: Errand) -> Firewall:
        """That of an errand."""
        return cls(errand.configuration, errand.chain, errand.wanted, errand.interface, errand.known)

    def open(self) -> Answer:
        """Make the rules, once, however often it is called and whatever was left by one that was killed."""
        said: list[str] = []
        try:
            with alone():
                said += self._make()
        except Refused as error:
            said.append(_cannot(error))
        except OSError as error:
            said.append(f"the firewall is left as it is: {error.strerror or error}")
        drops = self.drops()
        return Answer(tuple(said), drops.found, self._known, drops.are_all)

    def drops(self) -> Drops:
        """Where the host drops adverts nevertheless."""
        return Drops((one for one in self.wanted if one.protocol == VRRP), self.interface)

    def foreseen(self) -> list[Dropped]:
        """Where the host drops adverts for sure, and will when it is open."""
        return [one for one in self.drops().found if one.certain and not (self.chain and one.is_preceded)]

    def close(self) -> Answer:
        """Remove the rules, unless another pod of the same configuration is on this node, and what killed ones left."""
        try:
            with alone():
                return Answer(tuple(self._remove(Holder.living())))
        except OSError as error:
            return Answer((f"rules of the firewall may be left: {error.strerror or error}",))

    def _remove(self, living: set[str]) -> Iterator[str]:
        own = {self.configuration}
        for backend in iptables.backends((4, 6)):
            try:
                iptables.take(backend, (iptables.holders(backend) | own) - living)
            except Refused as error:
                if _is_of_rights(error):
                    raise
                yield f"rules of the firewall may be left: {error.strerror}"
        if find("nft"):
            table.take((own | _stale(living)) - living)

    def _make(self) -> Iterator[str]:
        living = Holder.living()
        places = list(iptables.backends((4, 6)))
        used: set[int] = set()
        for backend in places:
            try:
                yield from self._make_in(backend, living, used)
            except Refused as error:
                if _is_of_rights(error):
                    raise
                yield _cannot(error)
        left = [one for one in self.wanted if one.family not in used] if self.chain else []
        yield from self._make_elsewhere(left, places, living)

    def _make_in(self, backend: Backend, living: set[str], used: set[int]) -> Iterator[str]:
        """Where iptables holds rules of others; adds the family to those that have found their place."""
        wanted = [one for one in self.wanted if one.family == backend.family] if self.chain else []
        stale = iptables.holders(backend) - living
        if wanted and backend.holds_rules():
            used.add(backend.family)
            if backend.has_chain(self.chain):
                self._put(backend, self.chain, wanted, stale)
                return
            yield f"{OPTION}: {backend.command} has no chain {self.chain}, so VRRP is not let in; name INPUT"
        iptables.take(backend, {self.configuration} | stale)

    def _make_elsewhere(self, left: Sequence[Passage], places: Sequence[Backend], living: set[str]) -> Iterator[str]:
        """Where iptables holds no rules: in the table of our own, or by iptables where there is nothing else."""
        own = {self.configuration}
        if find("nft"):
            if left:
                ours = table.put(self.configuration, left, _stale(living), self._known.ours)
                self._known = self._known._replace(ours=ours)
            else:
                table.take(own | _stale(living))
            return
        for number in sorted({one.family for one in left}):
            backend = next((one for one in places if one.family == number), None)
            if backend is None:
                yield NO_PROGRAM
                return
            wanted = [one for one in left if one.family == number]
            self._put(backend, self.chain if backend.has_chain(self.chain) else INPUT, wanted, ())

    def _put(self, backend: Backend, chain: str, wanted: Sequence[Passage], stale: Collection[str]) -> None:
        before = self._known.lines.get(backend, ())
        lines = iptables.put(backend, chain, self.configuration, wanted, stale, before)
        self._known = self._known._replace(lines={**self._known.lines, backend: lines})


def _stale(living: set[str]) -> set[str]:
    """The configurations in our table whose pods are gone."""
    return {one.configuration for one in table.rules() if one.configuration} - living


def _is_of_rights(error: Refused) -> bool:
    return any(word in error.why for word in RIGHTS)


def _cannot(error: Refused) -> str:
    if _is_of_rights(error):
        return f"the firewall cannot be seen or changed without CAP_NET_ADMIN ({error.strerror})"
    return f"the firewall is left as it is: {error.strerror}"
