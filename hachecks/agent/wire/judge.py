"""The judge of a segment: what is heard of each instance, and what that comes to; it is told the time, and asks nobody.

A node that gives a VIP away says its last word at once, and answers for it no more: whoever is heard beside another
owner for longer than that is an owner as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.agent.wire import sentences
from hachecks.agent.wire.subject import BACKUP, GRACE, MASTER, SHORTEST_PROOF, SUSPICION, AskedVip, Question
from hachecks.wire.frames import Advert

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from hachecks.agent.wire.subject import Speaker, Subject
    from hachecks.wire.frames import Answer

DUPLICATE, DEAF, FOREIGN, UNANSWERED = "duplicate_owner", "deaf", "foreign_id", "unanswered"
KINDS = (DUPLICATE, DEAF, FOREIGN, UNANSWERED)
LINGER = 3.0
"""Seconds for which something is told after it was seen last."""
SWEEP_INTERVAL = 0.9
"""Seconds between two looks at instances of which there is no news."""
ROUTINE, URGENT = 2, 16
"""VIPs that are asked for at once, at most: each in its turn, and those of which something is suspected."""
ROUTINE_INTERVAL, URGENT_INTERVAL, KNOWN_INTERVAL = 0.7, 0.45, 0.7
"""Seconds between two questions for one VIP, at least; the last is for one that is known to be wrong."""
BEFORE_IT_TAKES, LEAST_SILENCE, SHORTEST_SILENCE = 0.8, 1.2, 1.5
"""Advert intervals before Keepalived takes the VIP (`down_timer_adverts`) at which adverts do not arrive; and since the
last one, so many intervals at least, and seconds."""
TAKEN_AFTER, LEAST_PATIENCE = 1, 3.0
"""Advert intervals after that instant, and seconds beside them, in which a failover has come to its end."""
UNANSWERED_QUESTIONS = 3
MOST_WITNESSES = 64


class Finding(NamedTuple):
    """What is wrong on the segment; the sentence says what, where, and what to do."""

    kind: str
    instance: str
    sentence: str


class Judge:
    """Hears, has VIPs asked for, and judges; `own` are this node's hardware addresses, `here` its addresses.

    `through` says of an instance and a source whether its adverts pass this node's firewall, where that is known.
    """

    def __init__(self) -> None:
        self.subjects: dict[tuple[str, str, int], Subject] = {}
        self.vips: dict[str, tuple[Subject, AskedVip]] = {}
        self.own: Collection[str] = ()
        self.here: Collection[str] = ()
        self.through: dict[tuple[str, str], bool] = {}
        self.witnesses: dict[tuple[str, str], AskedVip] = {}
        self._turn = 0
        self._order: list[AskedVip] = []
        self._swept_at = 0.0
        self._found: dict[tuple[str, str], tuple[float, Finding]] = {}

    def watch(self, subjects: Iterable[Subject]) -> None:
        """Have these; what is known of an id that was watched before goes on."""
        found = {subject.key: subject for subject in subjects}
        for key, subject in found.items():
            if key in self.subjects:
                subject.follow(self.subjects[key])
        self.subjects = found
        self.vips = {one.address: (subject, one) for subject in found.values() for one in subject.vips.values()}
        self._order = [vip for _, vip in self.vips.values()]
        self._found = {key: one for key, one in self._found.items() if key[1] in {one.name for one in found.values()}}

    def hear(self, said: Advert | Answer, now: float) -> None:
        """Take in what was said."""
        if isinstance(said, Advert):
            subject = self.subjects.get((said.interface, said.family, said.id))
            if subject is not None and not self._is_echo(said, subject):
                subject.hear(said, now)
            return
        if said.mac in self.own:
            return
        witness = self.witnesses.get((said.interface, said.address))
        if witness and said.asked:
            witness.answered(said.mac, now)
        found = self.vips.get(said.address)
        if found and said.interface == found[1].interface:
            self._hear_of_vip(said, *found, now)

    def _hear_of_vip(self, said: Answer, subject: Subject, vip: AskedVip, now: float) -> None:
        mac = subject.hardware_of(said.mac)
        if subject.state == MASTER and mac in ("", subject.virtual_mac):
            return
        if said.asked:
            vip.answered(mac, now)
        # What nobody asked for is announced by a new owner, and by a stranger as well.
        if subject.state == MASTER or not said.asked or vip.is_doubtful:
            vip.suspicious_until = subject.lively_until = now + SUSPICION

    def _is_echo(self, advert: Advert, subject: Subject) -> bool:
        """Whether it is our own, which a switch has sent back."""
        return advert.mac in self.own or (advert.mac == subject.virtual_mac and advert.source in self.here)

    def due(self, now: float) -> Iterator[AskedVip]:
        """The VIPs to ask for now: those of which something is suspected, and some of the others in turn."""
        found: list[AskedVip] = []
        for subject in self._lively(now):
            interval = self._urgency(subject, now)
            for vip in subject.vips.values():
                wanted = URGENT_INTERVAL if now < vip.suspicious_until else interval
                if wanted and len(found) < URGENT and now - vip.asked_at >= wanted:
                    found.append(vip)
        for _ in range(min(ROUTINE, len(self._order))):
            self._turn = (self._turn + 1) % len(self._order)
            vip = self._order[self._turn]
            if now - vip.asked_at >= ROUTINE_INTERVAL and vip not in found:
                found.append(vip)
        for vip in (*found, *self._witnesses_for(found, now)):
            vip.questions.append(Question(now))
            yield vip

    def _witnesses_for(self, asked: Iterable[AskedVip], now: float) -> list[AskedVip]:
        """The master's own addresses, where more than one answers for a VIP of it.

        Linux answers by ARP on each of its interfaces: two of one node's may be on the segment. Then both answer for
        whatever it has, and there is one owner.
        """
        found = {}
        for vip in asked:
            subject, _ = self.vips[vip.address]
            for one in subject.speaking(now, ours=True) if vip.is_doubtful and subject.family == "ipv4" else ():
                key = (vip.interface, one.source)
                if len(self.witnesses) >= MOST_WITNESSES:
                    self.witnesses.clear()
                found[key] = self.witnesses.setdefault(key, AskedVip(one.source, vip.interface))
        return list(found.values())

    def _is_one_node(self, subject: Subject, vip: AskedVip, owners: set[str], now: float) -> bool:
        """Whether all owners are one node, as its own address tells."""
        for one in subject.speaking(now, ours=True) if subject.family == "ipv4" else ():
            witness = self.witnesses.get((vip.interface, one.source))
            answers = witness.complete(now, 0.0) if witness else ()
            if not answers or owners <= answers[-1].macs:
                return True
        return False

    def _lively(self, now: float) -> list[Subject]:
        return [one for one in self.subjects.values() if one.lively_until > now]

    def _urgency(self, subject: Subject, now: float) -> float:
        """Seconds between two questions for each VIP of an instance; 0 where they wait for their turn."""
        if (DUPLICATE, subject.name) in self._found:
            return KNOWN_INTERVAL
        is_new = subject.state == MASTER and 0 <= now - subject.since - GRACE < SUSPICION
        is_doubtful = subject.state == MASTER and any(one.after for one in subject.speaking(now, ours=True))
        return URGENT_INTERVAL if is_new or is_doubtful or self._is_silent(subject, now) else 0.0

    def puzzles(self, now: float) -> list[tuple[Subject, Speaker]]:
        """The masters whose adverts arrive, and this node stays MASTER beside them with a lower priority."""
        return [
            (subject, one)
            for subject in self._lively(now)
            if subject.state == MASTER
            for one in subject.speaking(now, ours=True)
            if one.after is not None and one.priority > subject.priority
        ]

    def look(self, now: float) -> list[Finding]:
        """What is wrong, or was a moment ago."""
        subjects: Iterable[Subject] = self._lively(now)
        if now - self._swept_at >= SWEEP_INTERVAL:
            self._swept_at, subjects = now, self.subjects.values()
        for subject in subjects:
            for found in self._of(subject, now):
                self._found[found.kind, found.instance] = now, found
                subject.lively_until = now + SUSPICION
        self._found = {key: (at, one) for key, (at, one) in self._found.items() if now - at < LINGER}
        return [one for _, one in self._found.values()]

    def _of(self, subject: Subject, now: float) -> Iterator[Finding]:
        if subject.speakers:
            yield from self._of_adverts(subject, now)
        yield from self._of_answers(subject, now)
        if subject.state == BACKUP:
            yield from self._of_silence(subject, now)

    def _of_adverts(self, subject: Subject, now: float) -> Iterator[Finding]:
        for one in subject.speaking(now, ours=False):
            if one.count > 1:
                yield Finding(FOREIGN, subject.name, sentences.foreign(subject, one))
        speaking = subject.speaking(now, ours=True)
        if subject.state == MASTER:
            for one in speaking:
                if one.after is not None and one.last - one.after >= one.proof:
                    yield Finding(DUPLICATE, subject.name, sentences.second_master(subject, one))
                    yield from self._of_deafness(subject, one, now)
        elif len(speaking) > 1:
            older, newer = sorted(speaking, key=lambda one: one.start)[-2:]
            if min(older.last, newer.last) - newer.start >= max(older.proof / 2, newer.proof / 2, SHORTEST_PROOF):
                yield Finding(DUPLICATE, subject.name, sentences.two_masters(subject, older, newer))

    def _of_deafness(self, subject: Subject, one: Speaker, now: float) -> Iterator[Finding]:
        """A master beside us that has the higher priority, which Keepalived would obey if it heard it."""
        through = self.through.get((subject.name, one.source))
        waited = now - (one.after or now) > 2 * one.proof + SUSPICION
        if one.priority > subject.priority and (through is not None or waited):
            yield Finding(DEAF, subject.name, sentences.deaf_master(subject, one, through))

    def _of_answers(self, subject: Subject, now: float) -> Iterator[Finding]:
        is_master = subject.state == MASTER
        since = subject.since + GRACE if is_master else 0.0
        for vip in subject.vips.values():
            owners = vip.owners(now, since) if vip.answered_at is not None else set()
            if len(owners) > (0 if is_master else 1) and (
                is_master or not self._is_one_node(subject, vip, owners, now)
            ):
                yield Finding(DUPLICATE, subject.name, sentences.two_owners(subject, vip, sorted(owners)))
                return

    def _is_silent(self, subject: Subject, now: float) -> bool:
        """Whether this node is BACKUP, and adverts that came do not come any more."""
        if subject.state != BACKUP or subject.heard_at is None:
            return False
        silence = max(subject.down_timer - BEFORE_IT_TAKES, LEAST_SILENCE)
        patience = max(silence * subject.interval, SHORTEST_SILENCE)
        return now - max(subject.heard_at, subject.since, subject.ready) > patience

    def _of_silence(self, subject: Subject, now: float) -> Iterator[Finding]:
        if now < subject.ready:
            return
        silent, heard = self._is_silent(subject, now), subject.heard_at or 0.0
        patience = (subject.down_timer + TAKEN_AFTER) * subject.interval + LEAST_PATIENCE
        if silent:
            subject.lively_until = now + SUSPICION
        for vip in subject.vips.values():
            if vip.answered_at is None:  # its owner never answers, such as one beyond a router
                continue
            asked = vip.complete(now, max(heard, subject.since) if silent else subject.since)
            if silent and asked and asked[-1].is_answered:
                mac = min(asked[-1].macs, default="somebody")
                yield Finding(DEAF, subject.name, sentences.deaf_backup(subject, vip, mac))
                return
            if asked and not asked[-1].is_answered:
                vip.suspicious_until = subject.lively_until = now + SUSPICION
            asked = asked[-UNANSWERED_QUESTIONS:]
            is_long = now - max(vip.answered_at, subject.since, subject.ready) > patience
            if is_long and len(asked) == UNANSWERED_QUESTIONS and not any(one.is_answered for one in asked):
                if not silent:
                    yield Finding(UNANSWERED, subject.name, sentences.unanswered(subject, vip))
                elif now - max(heard, subject.ready) > patience:
                    yield Finding(UNANSWERED, subject.name, sentences.master_gone(subject, vip))
                return

    def forget(self) -> None:
        """Nobody is judged by what a Keepalived said that does not run."""
        self._found = {}
        for subject in self.subjects.values():
            subject.enter("UNKNOWN", 0.0, None)
