"""From the configuration in force to the one that the files say: at once, at an instant, or not before someone decides.

Nodes do not get a file in the same second. A change that makes two elections of one would have each VIP served twice
from the first node's reload to the last one's, so it is held until the configuration names an instant for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover import instant
from hachecks.ipfailover.against import TWICE, against

if TYPE_CHECKING:
    from hachecks.ipfailover.against import Change
    from hachecks.ipfailover.pod.wanted import Wanted

SAME, TAKE, HOLD = "same", "take", "hold"
VARIABLE = "OPENSHIFT_HA_CHANGE_AT"
RENUMBERED = "its id was"


class Decision(NamedTuple):
    """What becomes of a configuration; `at` is when a held one is taken, in seconds of the epoch, 0 for never."""

    kind: str
    why: str = ""
    at: float = 0.0


def decide(old: Wanted, new: Wanted, now: float) -> Decision:
    """What to do with the new configuration."""
    if new.bare == old.bare and new.change_at == old.change_at and (new.target is None) == (old.target is None):
        return Decision(SAME)
    twice = served_twice(old, new)
    # Who leaves the election makes no second one.
    if not twice or new.target is None:
        return Decision(TAKE)
    clash = _exchanged(old, new)
    if clash:
        return Decision(HOLD, clash)
    named = bool(new.change_at)
    if named and new.change_at > now:
        return Decision(HOLD, _held(twice, f"it is taken at {instant.written(new.change_at)}"), new.change_at)
    if named and new.change_at != old.change_at:
        return Decision(TAKE)
    stale = "names the instant of an earlier change" if named else "is not set"
    cure = f"{VARIABLE} {stale}: set it to an instant that all nodes can know of before, see hacheck ipfailover migrate"
    if not new.target.options.ledger and any(RENUMBERED in change.why for change in twice):
        cure = f"give --ledger, with which no id is another, or else {cure}"
    return Decision(HOLD, _held(twice, cure))


def _held(twice: list[Change], ending: str) -> str:
    first = twice[0]
    others = f" and {len(twice) - 1} more" if len(twice) > 1 else ""
    return f"the new configuration waits: {first.vip}{others} would be served twice {first.why}; {ending}"


def _exchanged(old: Wanted, new: Wanted) -> str:
    """Why no reload can make a change: a VIP would have an id that another VIP has now; empty where none has.

    Keepalived keeps an instance by its id, interface and way, whatever its addresses are. An address that another
    instance has got meanwhile is taken away by the one that had it, and is lost (tried with 2.2.7).
    """
    if (old.settings.interface, old.plan.unicast) != (new.settings.interface, new.plan.unicast):
        return ""
    in_use = {(one.id, ":" in one.vips[0]): one.vips for one in old.plan.instances}
    before = {vip: one.id for one in old.plan.instances for vip in one.vips}
    for one in new.plan.instances:
        for vip in one.vips:
            other = in_use.get((one.id, ":" in vip))
            if other and before.get(vip, one.id) != one.id:
                return (
                    f"the new configuration waits, since no reload can make it: {vip} would have the id {one.id}, "
                    f"which {other[0]} has now, and would be lost; give --ledger, with which VIPs keep their ids, or "
                    "an OPENSHIFT_HA_VRRP_ID_OFFSET after all ids that are in use"
                )
    return ""


def served_twice(old: Wanted, new: Wanted) -> list[Change]:
    """The VIPs that would have two masters while some nodes have the old configuration and some the new one."""
    # A peer that is new harms nobody here, and the sooner it is known the better.
    known = tuple(node for node in new.plan.nodes if node in old.plan.nodes)
    plan = new.plan._replace(nodes=known, password=_password(old, new), hmac=_hmac(old, new))
    return [change for change in against([old.plan], [plan]) if change.kind == TWICE]


def _password(old: Wanted, new: Wanted) -> str | None:
    """The new password as plans name it: by the old name where it is the same, by another where it is not."""
    before, after = _of_password(old), _of_password(new)
    if before == after:
        return old.plan.password
    same_name = new.plan.password == old.plan.password
    return f"{new.plan.password}, which has another since" if same_name else new.plan.password


def _of_password(one: Wanted) -> str:
    return (one.secrets.get(one.settings.auth_pass_file) or one.settings.config_name)[:8]


def _hmac(old: Wanted, new: Wanted) -> tuple[str, str] | None:
    """The same of the key by which adverts are signed."""
    if not old.plan.hmac or not new.plan.hmac:
        return new.plan.hmac
    (_, was_in), (mode, is_in) = old.plan.hmac, new.plan.hmac
    if old.secrets.get(was_in) == new.secrets.get(is_in):
        return mode, was_in
    return (mode, f"{is_in}, which has another since") if was_in == is_in else (mode, is_in)
