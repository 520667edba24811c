"""What is watched on a segment: an instance with its VIPs, who advertises it, and who answers for them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.keepalived.configuration import VrrpInstance
    from hachecks.wire.frames import Advert

MASTER, BACKUP, UNKNOWN = "MASTER", "BACKUP", "UNKNOWN"
GRACE = 0.5
"""Seconds after which a node that has given up a VIP has taken it from its interface, and advertises no more."""
SHORTEST_GAP = 0.6
"""Seconds without an advert after which its sender has paused, whatever interval it speaks of."""
GAP, PROOF = 1.6, 0.8
"""The same, and how long two owners have to be seen, in advert intervals."""
SHORTEST_PROOF = 0.4
"""Seconds; what a tick hears counts as heard at one instant."""
IN_FLIGHT = 0.2
"""Seconds in which an answer has come, if one comes."""
OLDEST_ANSWER = 60.0
SUSPICION = 1.6
"""Seconds for which something is looked at more often."""
MOST_SPEAKERS, MOST_ANSWERERS = 16, 8
VIRTUAL_PREFIX = "00:00:5e:00:0"
VIRTUAL_MAC = {"ipv4": "00:00:5e:00:01", "ipv6": "00:00:5e:00:02"}


class Speaker:
    """One who advertises an instance; instants are of the monotonic clock.

    `start` is when it began to speak without a pause, and `after` when it first spoke though this node was MASTER.
    """

    __slots__ = ("addresses", "after", "count", "interval", "last", "mac", "priority", "source", "start")

    def __init__(self, advert: Advert, now: float) -> None:
        self.source = advert.source
        self.start = self.last = now
        self.count = 0
        self.after: float | None = None
        self.take(advert, now)

    def take(self, advert: Advert, now: float) -> None:
        """It speaks again."""
        if now - self.last > self.gap_of(advert.advert_interval):
            self.start, self.count, self.after = now, 0, None
        self.mac, self.priority, self.interval = advert.mac, advert.priority, advert.advert_interval
        self.addresses = advert.addresses
        self.count += 1
        self.last = now

    @staticmethod
    def gap_of(interval: float) -> float:
        """Seconds of silence after which one with this interval speaks no more."""
        return max(GAP * interval, SHORTEST_GAP)

    @property
    def proof(self) -> float:
        """Seconds for which it has to be heard beside another owner."""
        return max(PROOF * self.interval, SHORTEST_PROOF)

    def speaks(self, now: float) -> bool:
        """Whether it still does."""
        return now - self.last <= self.gap_of(self.interval)


class Question:
    """That we asked for a VIP, and the hardware of all who answered but this node's own.

    `is_answered` also counts answers that say nothing of who the owner is.
    """

    __slots__ = ("at", "is_answered", "macs")

    def __init__(self, at: float) -> None:
        self.at = at
        self.is_answered = False
        self.macs: set[str] = set()


class AskedVip:
    """A VIP, the interface it is asked for on, and the last questions."""

    def __init__(self, address: str, interface: str) -> None:
        self.address = address
        self.interface = interface
        self.questions: deque[Question] = deque(maxlen=4)
        self.answered_at: float | None = None
        self.suspicious_until = 0.0
        """Until then it is asked for more often than the others."""

    @property
    def asked_at(self) -> float:
        """When it was asked for last."""
        return self.questions[-1].at if self.questions else 0.0

    def answered(self, mac: str, now: float) -> None:
        """Somebody has it: with this hardware, or with some that is not told (empty)."""
        if self.questions and now - self.questions[-1].at < OLDEST_ANSWER:
            self.answered_at = now
            self.questions[-1].is_answered = True
            if mac and len(self.questions[-1].macs) < MOST_ANSWERERS:
                self.questions[-1].macs.add(mac)

    @property
    def is_doubtful(self) -> bool:
        """Whether more than one has answered one of the last questions."""
        return any(len(one.macs) > 1 for one in self.questions)

    def complete(self, now: float, since: float) -> list[Question]:
        """The questions after an instant that nobody answers any more, oldest first."""
        return [one for one in self.questions if now - one.at >= IN_FLIGHT and since < one.at > now - OLDEST_ANSWER]

    def owners(self, now: float, since: float) -> set[str]:
        """Who has answered the last two questions: one who gives the VIP away answers one of them at most."""
        found = self.complete(now, since)[-2:]
        return found[0].macs & found[1].macs if len(found) == 2 else set()


class Subject:
    """An instance as this node has it, and what is heard of it; `since` is when its state was entered."""

    def __init__(self, configured: VrrpInstance, interfaces: Mapping[str, str]) -> None:
        """`interfaces` has the interface on which each VIP is asked for."""
        self.name = configured.name
        self.interface = configured.interface
        self.family = configured.family
        self.id = configured.vrid or 0
        self.interval = configured.advert_interval
        self.down_timer = configured.down_timer
        self.priority = configured.priority or 0
        self.unicast = configured.unicast
        self.advertised = frozenset(one.address for one in configured.addresses if not one.excluded)
        self.vips = {
            one.address: AskedVip(one.address, interfaces[one.address])
            for one in configured.addresses
            if one.address in interfaces
        }
        self.state = UNKNOWN
        self.since = 0.0
        self.ready = 0.0
        """From then on it takes over when adverts do not come: Keepalived may have to wait after its start."""
        self.speakers: dict[str, Speaker] = {}
        self.heard_at: float | None = None
        self.lively_until = 0.0
        """Until then it is looked at more often than the others: something may be wrong."""

    def follow(self, before: Subject) -> None:
        """Go on with what is known of the same id as it was configured before."""
        self.speakers, self.heard_at, self.lively_until = before.speakers, before.heard_at, before.lively_until
        self.enter(before.state, before.since, self.priority)
        self.ready = before.ready
        for address, vip in before.vips.items():
            if address in self.vips and self.vips[address].interface == vip.interface:
                self.vips[address] = vip

    @property
    def key(self) -> tuple[str, str, int]:
        """What an advert says that is of it."""
        return self.interface, self.family, self.id

    @property
    def virtual_mac(self) -> str:
        """What answers for its VIPs, where the master uses VRRP's own hardware addresses."""
        return f"{VIRTUAL_MAC.get(self.family, '')}:{self.id:02x}"

    def enter(self, state: str, since: float, priority: int | None) -> None:
        """Its state, as Keepalived says."""
        if (state, since) != (self.state, self.since):
            self.state, self.since = state, since
            self.lively_until = max(self.lively_until, since + GRACE + SUSPICION)
            for one in self.speakers.values():
                one.after = None
        self.priority = priority or self.priority

    def hear(self, advert: Advert, now: float) -> None:
        """An advert of another node for its id."""
        if not advert.priority:
            self.speakers.pop(advert.source, None)
            return
        speaker = self.speakers.get(advert.source)
        if speaker is None:
            if len(self.speakers) >= MOST_SPEAKERS:
                del self.speakers[min(self.speakers, key=lambda source: self.speakers[source].last)]
            speaker = self.speakers[advert.source] = Speaker(advert, now)
        else:
            speaker.take(advert, now)
        if len(self.speakers) > 1 or self.state == MASTER or not self.is_ours(speaker):
            self.lively_until = now + SUSPICION
        if self.is_ours(speaker):
            self.heard_at = now
            if speaker.after is None and self.state == MASTER and now >= self.since + GRACE:
                speaker.after = now

    def is_ours(self, speaker: Speaker) -> bool:
        """Whether it advertises VIPs of this instance; another cluster with the same id has others."""
        return not speaker.addresses or not self.advertised or not self.advertised.isdisjoint(speaker.addresses)

    def hardware_of(self, mac: str) -> str:
        """The hardware that an answer tells of; empty for what VRRP made for another instance of the same owner.

        Linux answers on each of its interfaces for all addresses of the node (`arp_ignore` of 0), so that a master with
        such an interface for another id answers with that as well.
        """
        return "" if mac.startswith(VIRTUAL_PREFIX) and mac != self.virtual_mac else mac

    def speaking(self, now: float, *, ours: bool) -> list[Speaker]:
        """Those who advertise these VIPs now, or else those who advertise others with the same id."""
        return [one for one in self.speakers.values() if one.speaks(now) and self.is_ours(one) is ours]
