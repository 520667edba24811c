"""The judge tells a second owner from one that gives a VIP away, and his own words from others', by time alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hachecks.agent.wire.judge import DEAF, DUPLICATE, FOREIGN, KINDS, UNANSWERED, Judge
from hachecks.agent.wire.subject import MOST_SPEAKERS, Subject
from hachecks.agent.wire.watch import subjects
from hachecks.keepalived.configuration import VirtualAddress, VrrpInstance
from hachecks.wire.frames import Advert, Answer

if TYPE_CHECKING:
    from collections.abc import Iterable

VIP, OURS, THEIRS, THIRD = "10.0.0.9", "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"
VIRTUAL = "00:00:5e:00:01:33"
TICK = 0.25


def instance(interval: float = 1.0, *vips: str) -> VrrpInstance:
    addresses = tuple(VirtualAddress(one, 32, "eth0", False) for one in vips or (VIP,))
    return VrrpInstance("V", "eth0", 51, 100, False, addresses, (), "ipv4", advert_interval=interval)


class Told:
    """A judge, and a clock that only goes on when it is told to: who advertises and answers in the meantime."""

    def __init__(self, state: str, interval: float = 1.0, *vips: str) -> None:
        self.judge = Judge()
        self.now = 1000.0
        self.interval = interval
        configured = instance(interval, *vips)
        self.subject = Subject(configured, {one.address: "eth0" for one in configured.addresses})
        self.judge.watch([self.subject])
        self.judge.own, self.judge.here = {OURS}, {"10.0.0.1"}
        self.asked: list[str] = []
        self.witnesses: tuple[str, ...] = (THEIRS,)
        """Who answers for the master's own address."""
        self.enter(state, self.now - 100)

    def enter(self, state: str, since: float | None = None) -> None:
        self.subject.enter(state, self.now if since is None else since, 100)

    def advert(
        self, mac: str = THEIRS, source: str = "10.0.0.2", priority: int = 90, vips: Iterable[str] = (VIP,)
    ) -> None:
        said = Advert("eth0", mac, source, "224.0.0.18", "ipv4", 3, 51, priority, tuple(vips), self.interval, 0)
        self.judge.hear(said, self.now)

    def answer(self, mac: str = THEIRS, asked: bool = True, address: str = VIP) -> None:
        self.judge.hear(Answer("eth0", mac, address, asked), self.now)

    def go_on(
        self, seconds: float, speakers: Iterable[str] = (), owners: Iterable[str] = (), priority: int = 90
    ) -> set[str]:
        """The kinds that were found within so many seconds; speakers are MACs, each with an address of its own."""
        found: set[str] = set()
        until = self.now + seconds
        last = dict.fromkeys(speakers, -1000.0)
        while self.now < until:
            for number, mac in enumerate(sorted(last)):
                if self.now - last[mac] >= self.interval - 0.001:
                    last[mac] = self.now
                    self.advert(mac, f"10.0.0.{2 + number}", priority)
            for vip in self.judge.due(self.now):
                self.asked.append(vip.address)
                for mac in owners if vip.address in self.judge.vips else self.witnesses:
                    self.answer(mac, address=vip.address)
            self.now += TICK
            found |= {one.kind for one in self.judge.look(self.now)}
        return found


def test_a_master_that_hears_and_asks_and_gets_no_answer_is_the_only_owner() -> None:
    assert Told("MASTER").go_on(60) == set()


def test_a_backup_with_one_master_is_well() -> None:
    assert Told("BACKUP").go_on(60, (THEIRS,), (THEIRS,)) == set()


@pytest.mark.parametrize("interval", [0.1, 0.25, 1.0, 4.0])
def test_two_masters_are_told_within_two_seconds_or_two_intervals(interval: float) -> None:
    told = Told("MASTER", interval)
    assert DUPLICATE in told.go_on(max(2.0, 2 * interval), (THEIRS,))


@pytest.mark.parametrize("state", ["BACKUP", "FAULT"])
def test_a_third_node_hears_two_masters(state: str) -> None:
    told = Told(state)
    told.go_on(3, (THEIRS,))
    assert told.go_on(2.25, (THEIRS, THIRD)) >= {DUPLICATE}


@pytest.mark.parametrize("state", ["MASTER", "BACKUP"])
def test_one_who_answers_beside_the_owner_is_told_within_two_seconds(state: str) -> None:
    told = Told(state)
    owners = (THEIRS,) if state == "BACKUP" else ()
    told.go_on(3, owners, owners)
    assert told.go_on(2, owners, (*owners, THIRD)) == {DUPLICATE}


def test_a_master_with_a_higher_priority_that_is_not_obeyed_is_told_with_the_reason() -> None:
    told = Told("MASTER")
    told.judge.through = {("V", "10.0.0.2"): False}
    assert told.go_on(3, (THEIRS,), priority=200) == {DUPLICATE, DEAF}
    (found,) = [one for one in told.judge.look(told.now) if one.kind == DEAF]
    assert "the firewall of this node drops them; accept IP protocol 112 from 10.0.0.2" in found.sentence


@pytest.mark.parametrize("interval", [0.1, 1.0])
def test_a_failover_is_no_second_owner(interval: float) -> None:
    told = Told("BACKUP", interval)
    for _ in range(3):
        told.enter("BACKUP")
        found = told.go_on(4, (THEIRS,), (THEIRS,))
        told.advert()  # the last words of the other, and the first of ours
        told.answer()
        told.enter("MASTER")
        told.advert()
        told.answer(asked=False)
        found |= told.go_on(4)
        assert found == set()


def test_a_preemption_that_a_third_node_sees_is_no_second_owner() -> None:
    told = Told("BACKUP")
    for owner in (THEIRS, THIRD, THEIRS):
        assert told.go_on(4, (owner,), (owner,)) == set()


def test_what_a_former_owner_announces_is_asked_after_and_no_finding() -> None:
    told = Told("MASTER", 1.0, *(f"10.0.1.{one}" for one in range(1, 101)))
    told.go_on(2)
    told.answer(asked=False, address="10.0.1.77")
    told.asked.clear()
    assert told.go_on(1) == set()
    assert told.asked.count("10.0.1.77") >= 2


def test_a_virtual_mac_is_ours_while_we_are_master_and_its_owners_otherwise() -> None:
    assert Told("MASTER").go_on(10, (), (VIRTUAL,)) == set()
    assert Told("BACKUP").go_on(10, (THEIRS,), (VIRTUAL,)) == set()


@pytest.mark.parametrize("state", ["MASTER", "BACKUP"])
def test_what_vrrp_made_for_another_instance_answers_as_well_and_is_no_second_owner(state: str) -> None:
    speakers = (THEIRS,) if state == "BACKUP" else ()
    other = "00:00:5e:00:02:34"
    assert Told(state).go_on(10, speakers, (VIRTUAL, other)) == set()
    told = Told(state)
    assert told.go_on(20, speakers, (other,)) == set()


@pytest.mark.parametrize(("witnesses", "found"), [((THEIRS, THIRD), set()), ((THEIRS,), {DUPLICATE})])
def test_two_interfaces_of_one_node_are_one_owner(witnesses: tuple[str, ...], found: set[str]) -> None:
    told = Told("BACKUP")
    told.witnesses = witnesses
    assert told.go_on(10, (THEIRS,), (THEIRS, THIRD)) == found


def test_two_masters_with_one_virtual_mac_are_told_by_their_adverts() -> None:
    told = Told("MASTER")
    found: set[str] = set()
    for _ in range(4):
        told.advert(VIRTUAL, "10.0.0.2")
        found |= told.go_on(1)
    assert found == {DUPLICATE}


@pytest.mark.parametrize(("mac", "source"), [(OURS, "10.0.0.1"), (VIRTUAL, "10.0.0.1")])
def test_our_own_words_that_a_switch_sends_back_are_nobodys(mac: str, source: str) -> None:
    told = Told("MASTER")
    for _ in range(4):
        told.advert(mac, source)
        assert told.go_on(1, (), (OURS,)) == set()


def test_an_id_with_other_vips_is_anothers() -> None:
    told = Told("BACKUP")
    told.go_on(3, (THEIRS,), (THEIRS,))
    found: set[str] = set()
    for _ in range(3):
        told.advert(THIRD, "10.0.0.7", vips=("192.0.2.1",))
        found |= told.go_on(1, (THEIRS,), (THEIRS,))
    assert found == {FOREIGN}


def test_adverts_that_arrive_no_more_while_the_owner_answers_are_told_before_we_take_over() -> None:
    told = Told("BACKUP")
    told.go_on(5, (THEIRS,), (THEIRS,))
    assert told.go_on(3.6, (), (THEIRS,)) == {DEAF}


def test_a_node_that_dies_is_no_finding() -> None:
    told = Told("BACKUP")
    told.go_on(5, (THEIRS,), (THEIRS,))
    found = told.go_on(3.6)
    told.enter("MASTER")
    assert found | told.go_on(10) == set()


@pytest.mark.parametrize("intervals", [4, 10, 100])
def test_a_backup_that_waits_for_longer_is_given_the_time(intervals: int) -> None:
    told = Told("BACKUP")
    told.subject.down_timer = intervals
    told.go_on(5, (THEIRS,), (THEIRS,))
    assert told.go_on(intervals + 0.6) == set()
    assert told.go_on(8) == {UNANSWERED}
    told.go_on(5, (THEIRS,), (THEIRS,))
    assert told.go_on(intervals - 2, (), (THEIRS,)) == set()
    assert told.go_on(2.6, (), (THEIRS,)) == {DEAF}


@pytest.mark.parametrize(("intervals", "interval"), [(1, 1.0), (2, 1.0), (1, 5.0), (2, 5.0)])
def test_a_backup_that_waits_for_less_takes_no_silence_between_two_adverts_for_a_loss(
    intervals: int, interval: float
) -> None:
    told = Told("BACKUP", interval)
    told.subject.down_timer = intervals
    assert told.go_on(10 * interval, (THEIRS,), (THEIRS,)) == set()
    assert told.go_on(intervals * interval + 3, (), (THEIRS,)) == {DEAF}


@pytest.mark.parametrize("owners", [(), (THEIRS,)])
def test_a_backup_that_has_just_started_and_has_to_wait_is_given_the_time(owners: tuple[str, ...]) -> None:
    told = Told("BACKUP")
    told.go_on(5, (THEIRS,), (THEIRS,))
    told.enter("BACKUP")
    told.subject.ready = told.now + 60
    told.go_on(1, (THEIRS,), (THEIRS,))
    assert told.go_on(59 + 2, (), owners) == set()
    assert told.go_on(12, (), owners) == ({DEAF} if owners else {UNANSWERED})


def test_a_master_that_advertises_and_does_not_answer_any_more_is_told() -> None:
    told = Told("BACKUP")
    told.go_on(5, (THEIRS,), (THEIRS,))
    assert told.go_on(12, (THEIRS,)) == {UNANSWERED}


def test_a_backup_that_does_not_take_over_is_told() -> None:
    told = Told("BACKUP")
    told.go_on(5, (THEIRS,), (THEIRS,))
    assert told.go_on(15) == {UNANSWERED}


def test_an_owner_that_never_answered_is_beyond_a_router() -> None:
    assert Told("BACKUP").go_on(30, (THEIRS,)) == set()


def test_255_vips_are_asked_for_a_few_in_a_second_each_in_its_turn() -> None:
    vips = [f"10.0.1.{one}" for one in range(255)]
    told = Told("BACKUP", 1.0, *vips)
    told.go_on(35, (THEIRS,), (THEIRS,))
    assert set(told.asked) == set(vips)
    assert len(told.asked) <= 8 * 36


def test_one_who_makes_up_senders_is_remembered_within_bounds() -> None:
    told = Told("MASTER")
    for number in range(10_000):
        told.advert(THEIRS, f"10.1.{number // 256}.{number % 256}")
        told.answer(f"02:00:00:00:{number // 256:02x}:{number % 256:02x}")
    told.go_on(1)
    assert len(told.subject.speakers) <= MOST_SPEAKERS
    assert sum(len(one.macs) for one in told.subject.vips[VIP].questions) < 100
    assert len(told.judge.look(told.now)) <= len(KINDS)


def test_what_is_known_goes_on_when_the_configuration_is_read_again() -> None:
    told = Told("MASTER")
    told.go_on(2, (THEIRS,))
    told.subject = Subject(instance(), {VIP: "eth0"})
    told.judge.watch([told.subject])
    assert told.subject.state == "MASTER"
    assert DUPLICATE in {one.kind for one in told.judge.look(told.now)}


def test_an_instance_without_interface_or_id_is_not_watched() -> None:
    assert subjects([instance()._replace(interface=""), instance()._replace(vrid=None)]) == []
