"""Cases: what becomes of the election of each VIP, by the old plans and the new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.against import two_elections
from hachecks.ipfailover.plan import HMAC_MODES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hachecks.ipfailover.plan import Instance, Plan


class Case(NamedTuple):
    """A VIP that two elections would be about while nodes change one by one, and why.

    `hmac` are how its adverts are signed, before and afterwards, as numbers of `HMAC_MODES`; each bears the one before
    and the one after it.
    """

    vip: str
    was_plan: Plan
    was: Instance
    plan: Plan
    instance: Instance
    reasons: tuple[str, ...]

    @property
    def hmac(self) -> tuple[int, int]:
        """How far the signing of adverts is, and shall be."""
        return _signing(self.was_plan, self.was), _signing(self.plan, self.instance)

    @property
    def is_kept(self) -> bool:
        """Whether a reload keeps the instance with its state: Keepalived compares these (vrrp_exist of 2.2.7).

        It does not look at addresses, which are compared here since they are to stay. Then its master stays
        master. What else differs, the version of VRRP for example, is taken over on the way. Otherwise the old
        instance ends, and the new one begins without a master.
        """
        interfaces = {self.was_plan.interface or self.plan.interface, self.plan.interface}
        same = self.was.id == self.instance.id and self.was_plan.unicast == self.plan.unicast and len(interfaces) == 1
        return same and set(self.was.vips[:1]) == set(self.instance.vips[:1])

    @property
    def waits_for_new_nodes(self) -> bool:
        """Whether nothing parts the nodes but that those with the old list of peers do not know the new ones."""
        new = set(self.plan.nodes) - set(self.was_plan.nodes)
        return len(self.reasons) == 1 and bool(new) and self.plan.unicast and self.was_plan.unicast and self._only_nodes

    @property
    def _only_nodes(self) -> bool:
        alone = self.plan._replace(nodes=self.was_plan.nodes)
        return not any(two_elections(self.was_plan, self.was, alone, self.instance))


def exchanged(found: Sequence[Case], old: Sequence[Plan]) -> tuple[Case, str] | None:
    """A case whose VIP gets an id that is in use, and the VIP that has it; None where there is none.

    Keepalived keeps an instance by its id, whatever its addresses are. The master of that id has the VIP at its reload,
    where the old owner still has it; and where one node is both, the instance that had the VIP takes it off after the
    other one has found it there, and it is lost (tried with 2.2.7).
    """
    in_use = {(one.id, plan.interface, plan.unicast, ":" in one.vips[0]): one for plan in old for one in plan.instances}
    for case in found:
        interface = case.was_plan.interface and (case.plan.interface or case.was_plan.interface)
        other = in_use.get((case.instance.id, interface, case.plan.unicast, ":" in case.vip))
        if other and case.was.id != case.instance.id:
            return case, other.vips[0]
    return None


def _signing(plan: Plan, instance: Instance) -> int:
    return HMAC_MODES.index(plan.hmac[0]) if plan.hmac and plan.vrrp(instance) == 3 else 0


def cases(old: Sequence[Plan], new: Sequence[Plan]) -> tuple[Case, ...]:
    """The VIPs of both that are not safe to change node by node, in the order of the new plans."""
    return tuple(_cases(_by_vip(old), new))


def _cases(before: Mapping[str, tuple[Plan, Instance]], new: Sequence[Plan]) -> Iterator[Case]:
    for plan in new:
        for instance in plan.instances:
            for vip in instance.vips:
                if vip in before:
                    reasons = tuple(two_elections(*before[vip], plan, instance))
                    if reasons:
                        yield Case(vip, *before[vip], plan, instance, reasons)


def _by_vip(plans: Sequence[Plan]) -> Mapping[str, tuple[Plan, Instance]]:
    return {vip: (plan, instance) for plan in plans for instance in plan.instances for vip in instance.vips}
