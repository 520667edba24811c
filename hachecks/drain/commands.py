"""`hacheck drain` and `hacheck undrain`: a node's VIPs go to other nodes, and may come back."""

from __future__ import annotations

import os
import time
from time import monotonic

from hachecks.drain import agent_lock, place, state
from hachecks.drain.fallback import put_there_at_the_end
from hachecks.drain.moving import Moving
from hachecks.drain.options import DrainOptions
from hachecks.drain.state import Drain, instant
from hachecks.drain.target import target_of
from hachecks.node import Node, NodeOptions
from hachecks.settings import Invalid, option, settings
from hachecks.units import parse_duration
from hachecks.verdict import in_words, visible
from hachecks.wire import addresses
from hachecks.wire.asking import Asker, interface_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hachecks.drain.target import Target
    from hachecks.registry import Output

PATIENCE = 10.0
"""Seconds to wait: an election takes 1 to 4 with an advert a second."""
LONGEST_UNTIL = 366 * 86400.0
EVER = float("inf")
ONCE = "its directory has to be there when Keepalived starts"


class Until:
    """When a drain ends: a time from now, or an instant."""

    def __init__(self, at: float) -> None:
        self.at = at

    @classmethod
    def parse(cls, text: str) -> Until:
        """From `2h` or `2026-11-29T17:00:00Z`; raises `ValueError`."""
        now = time.time()
        try:
            at = state.parse_instant(text)
        except ValueError:
            try:
                at = now + parse_duration(text)
            except ValueError:
                raise ValueError(f"{text!r} is no time (write 2h, 90m or {instant(now)})") from None
        if not now < at < now + LONGEST_UNTIL:
            raise ValueError(f"{text!r} is not in the year to come")
        return cls(at)

    def __repr__(self) -> str:
        return instant(self.at)


@settings
class DrainCommand(NodeOptions, DrainOptions):
    """Move the VIPs of this node to other nodes, and keep them away until undrain.

    The node becomes the last resort: below all nodes that are not drained, and above those whose check fails. A VIP
    that no other node can take stays here. It is said of each VIP which hardware address answers for it, by ARP and
    neighbour solicitation, which needs CAP_NET_RAW; exit status 0 says that no VIP is left here. The drain outlives
    restarts of Keepalived, of the agent and, where its file does, of the pod.

    Where a lower priority moves nothing (nopreempt), and with --now, the node is in FAULT for some seconds: a VIP that
    no other node can take is without a node meanwhile.
    """

    until: Until | None = option(default=None, metavar="WHEN", help="The agent ends the drain: 2h, or an instant.")
    wait: bool = option(default=False, help="Wait until every VIP is elsewhere, however long that takes.")
    now: bool = option(default=False, help="Do not wait for preempt_delay: move the VIPs by a FAULT of some seconds.")
    reason: str = option(default="", metavar="TEXT", help="Why, for whoever looks later.")

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Drain; returns whether no VIP is left here. Raises `Invalid`."""
        node = Node(self, environ)
        target = target_of(node, self.drain_file)
        place.check(target.path)
        before = _look(target.path)
        own = _own_vips(target)
        drain = self._record(target, own, before, _who(environ))
        moving = Moving(own, _asker(target, own, output), output.say)
        by_fault = bool(own) and (target.nopreempt or (self.now and target.delay > 0))

        def begun() -> None:
            if before:
                changed = f"the node is {before} already; it is {drain} now"
                output.say(changed if drain != before else f"already: {before}")
            self._warn(node, output)

        try:
            if by_fault:
                _give_up(target, drain, moving, begun)
            else:
                state.write(target.path, drain)
                begun()
        except OSError as error:
            left = f"the node is as it was, {before}" if before else "nothing is drained"
            raise Invalid(f"{error.filename or target.path}: {error.strerror}; {left}") from None
        if not own:
            output.say("no VIP is here")
            return True
        self._wait(target, moving, by_fault, output)
        return _told(moving, target, by_fault, output)

    def _record(self, target: Target, own: Sequence[str], before: Drain | None, who: str) -> Drain:
        if before and before.since is not None and not (self.until or self.reason):
            vips = tuple(dict.fromkeys((*before.vips, *own)))
            return before._replace(number=target.lowered, vips=vips)
        until = self.until.at if self.until else None
        since = before.since if before and before.since is not None else float(int(time.time()))
        return Drain(target.lowered, since, until, who, self.reason, tuple(own))

    def _warn(self, node: Node, output: Output) -> None:
        if self.until and not agent_lock.is_held(node.places):
            output.complain(f"no agent runs here to end the drain at {self.until!r}; start one, or undrain by hand")

    def _wait(self, target: Target, moving: Moving, by_fault: bool, output: Output) -> None:
        delays = [0.0 if by_fault else target.of_vip(vip).preempt_delay for vip in moving.waiting] or [0.0]
        longest = max(delays)
        if longest > PATIENCE:
            how = "" if self.wait else "; --wait waits for it, --now does not"
            output.say(f"others wait for {in_words(longest)} before they take over (preempt_delay){how}")
        # Under nopreempt what has not moved by now does not move, whoever waits.
        is_over = by_fault and target.nopreempt
        patience = PATIENCE + (longest if longest <= PATIENCE else 0.0) + 4 * target.advert_interval
        if min(delays) > PATIENCE:
            patience = 0.0
        moving.wait(EVER if self.wait and not is_over else monotonic() + patience, or_back=is_over)


@settings
class UndrainCommand(NodeOptions, DrainOptions):
    """End the drain of this node: it has its rank again.

    Said is which VIPs may come back, and when: not under nopreempt, where they stay until the node that has them gives
    them up.
    """

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Undrain; returns True. Raises `Invalid`."""
        target = target_of(Node(self, environ), self.drain_file)
        place.check(target.path)
        before = _look(target.path)
        if before is None:
            output.say("the node is not drained")
            return True
        try:
            state.write(target.path, None)
        except OSError as error:
            raise Invalid(f"{error.filename or target.path}: {error.strerror}; the node is still drained") from None
        output.say(f"the node is drained no more; it was {before}")
        carried = {vip.address for one in target.instances for vip in one.addresses}
        here = addresses.here()
        for vip in before.vips:
            if vip in carried and vip not in here:
                output.say(_comes_back(vip, target))
        return True


def _comes_back(vip: str, target: Target) -> str:
    instance = target.of_vip(vip)
    if instance.nopreempt:
        return f"{vip} stays where it is (nopreempt)"
    when = f"in {in_words(instance.preempt_delay)} (preempt_delay)" if instance.preempt_delay else "now"
    return f"{vip} comes back {when}, unless a node with a higher priority has it"


def _look(path: str) -> Drain | None:
    try:
        return state.look(path)
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}; remove it, and try again") from None


def _own_vips(target: Target) -> list[str]:
    """The VIPs that are on this node, in the order of the configuration."""
    here = addresses.here()
    return [vip.address for one in target.instances for vip in one.addresses if vip.address in here]


def _who(environ: Mapping[str, str]) -> str:
    """Who asks: whoever became root for it by sudo, or the user."""
    import pwd

    try:
        return environ.get("SUDO_USER") or pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid-{os.geteuid()}"


def _asker(target: Target, vips: Sequence[str], output: Output) -> Asker | None:
    interfaces = {
        vip.address: interface_for(vip.interface, instance.interface)
        for instance in target.instances
        for vip in instance.addresses
        if vip.address in vips
    }
    if not interfaces:
        return None
    try:
        return Asker(interfaces)
    except PermissionError:
        output.complain("without CAP_NET_RAW nobody can be asked for a VIP: seen is only whether it is gone from here")
    except OSError as error:
        output.complain(f"nobody can be asked for a VIP ({error.strerror}): seen is only whether it is gone from here")
    return None


def _give_up(target: Target, drain: Drain, moving: Moving, begun: Callable[[], None]) -> None:
    """Move the VIPs by a FAULT until others have them, for a few adverts at most; the node is the last resort then."""
    with put_there_at_the_end(target.path, drain.to_text()):
        state.write(target.path, drain._replace(number=target.fault))
        moving.began = monotonic()
        begun()
        moving.wait(moving.began + 2.0 + 2 * target.advert_interval)


def _told(moving: Moving, target: Target, by_fault: bool, output: Output) -> bool:
    here = set(moving.here())
    for vip in moving.waiting:
        delay = 0.0 if by_fault else target.of_vip(vip).preempt_delay
        if vip not in here:
            output.complain(f"{vip} is nowhere: it is not here, and nobody answers for it")
        elif delay > PATIENCE:
            output.complain(f"{vip} is still here: others take over {in_words(delay)} after the drain (preempt_delay)")
        elif by_fault and vip not in moving.left:
            output.complain(f"{vip} stays here, as Keepalived does not look at {target.path}; {ONCE}")
        else:
            then = "drain again when one can (nopreempt)" if by_fault and target.nopreempt else "it goes when one can"
            output.complain(f"{vip} stays here, as no other node takes it; {then}")
    if moving.waiting and not by_fault and set(moving.waiting) == here and len(here) == moving.number:
        output.complain(f"if other nodes are well, see whether Keepalived looks at {target.path}: {ONCE}")
    if moving.asker:
        if moving.asker.trouble:
            output.complain(visible(moving.asker.trouble))
        moving.asker.close()
    return not moving.waiting
