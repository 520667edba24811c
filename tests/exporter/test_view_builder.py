"""What the sources say is put together, and nothing that is old, or nobody's, passes for what is."""

from __future__ import annotations

import pytest

from hachecks.exporter.addresses import Link, Present
from hachecks.exporter.checks import Checks
from hachecks.exporter.instance_history import InstanceHistories
from hachecks.exporter.snapshot import Snapshot
from hachecks.exporter.view_builder import GROUP_SLACK, RESTART_SLACK, Picture, Pictures
from hachecks.keepalived.configuration import Configuration, VirtualAddress, VrrpInstance
from hachecks.keepalived.process import Running
from hachecks.transitions.event import Event

NOW = 1_790_000_000.0
BOOT = "6a6e6b34-0000-4000-8000-000000000000"
RUNS = Running(True, NOW - 100, False, "process 1")
GONE = Running(False, None, False, "no process called keepalived")
HIDDEN = Running(True, None, False, "a socket of IP protocol 112")


def event(state: str, at: float = NOW, name: str = "VI_1", *, kind: str = "INSTANCE", boot: str = BOOT) -> Event:
    return Event(
        number=1, key="k", at=at, kind=kind, name=name, state=state, priority=100 if kind == "INSTANCE" else 0,
        before=None, since=None, late=False, options=(), order=(boot, 1, 1),
    )  # fmt: skip


def instance(name: str, *vips: str) -> VrrpInstance:
    addresses = tuple(VirtualAddress(vip, 32, "eth0", False) for vip in vips)
    return VrrpInstance(name, "eth0", 51, 100, False, addresses, ())


TWO = (instance("VI_1", "10.0.0.1"), instance("VI_2", "10.0.0.2"))


def seen(*events: Event, running: Running = RUNS, configured: tuple[VrrpInstance, ...] = TWO,
         groups: dict[str, tuple[str, ...]] | None = None) -> Picture:  # fmt: skip
    histories = InstanceHistories()
    histories.add(events)
    return Pictures().of(snapshot(histories, running, configured, groups))


def snapshot(histories: InstanceHistories, running: Running = RUNS, configured: tuple[VrrpInstance, ...] = TWO,
             groups: dict[str, tuple[str, ...]] | None = None, present: Present | None = None) -> Snapshot:  # fmt: skip
    configuration = Configuration(configured, (), groups or {}, ())
    return Snapshot("node-a", BOOT, configuration, histories.frozen(), {}, running, present, Checks(), (), (), (), ())


def states(found: Picture) -> list[str]:
    return [one.state for one in found.instances]


def test_the_word_of_the_keepalived_that_runs_counts() -> None:
    assert states(seen(event("MASTER"), event("BACKUP", name="VI_2"))) == ["MASTER", "BACKUP"]


def test_the_word_of_a_keepalived_before_this_one_does_not() -> None:
    assert states(seen(event("MASTER", NOW - 100 - RESTART_SLACK - 1))) == ["UNKNOWN"] * 2
    assert states(seen(event("MASTER", NOW - 100 - RESTART_SLACK + 1)))[0] == "MASTER"


def test_the_word_of_another_boot_does_not() -> None:
    assert states(seen(event("MASTER", boot="another"))) == ["UNKNOWN"] * 2


@pytest.mark.parametrize("state", ["MASTER", "BACKUP", "FAULT"])
def test_a_dead_keepalived_has_said_nothing(state: str) -> None:
    assert states(seen(event(state), running=GONE))[0] == "UNKNOWN"


def test_a_stop_stays_one() -> None:
    assert states(seen(event("MASTER"), event("STOP", NOW + 1), running=GONE))[0] == "STOP"


def test_the_members_of_a_group_are_in_its_state_where_they_say_nothing_themselves() -> None:
    found = seen(event("MASTER", name="G", kind="GROUP"), groups={"G": ("VI_1", "VI_2")})
    assert states(found) == ["MASTER", "MASTER"]
    assert [one.since for one in found.instances] == [NOW, NOW]
    assert [one.entered["MASTER"] for one in found.instances] == [1, 1]
    assert [one.priority for one in found.instances] == [None, None], "0 is what Keepalived says of every group"
    assert [vip.expected for vip in found.vips] == [True, True]
    assert found.instances[1].master_seconds_at(NOW + 7) == 7


def test_only_the_members_of_a_group_are_in_its_state() -> None:
    found = seen(event("FAULT", name="G", kind="GROUP"), groups={"G": ("VI_2",)})
    assert states(found) == ["UNKNOWN", "FAULT"]


def test_an_instance_is_not_in_the_state_of_a_group_of_its_name() -> None:
    assert states(seen(event("MASTER", name="VI_1", kind="GROUP"), groups={"VI_1": ("VI_2",)})) == ["UNKNOWN", "MASTER"]
    assert states(seen(event("MASTER", name="VI_1", kind="GROUP"))) == ["UNKNOWN", "UNKNOWN"]


@pytest.mark.parametrize("later", [0.0, GROUP_SLACK / 2])
def test_a_member_that_speaks_for_itself_is_believed(later: float) -> None:
    said = (event("BACKUP"), event("MASTER", NOW + later, name="G", kind="GROUP"))
    assert states(seen(*said, groups={"G": ("VI_1", "VI_2")})) == ["BACKUP", "MASTER"]


def test_a_member_that_has_ceased_to_speak_is_in_the_state_of_its_group() -> None:
    said = (event("BACKUP"), event("MASTER", NOW + 60, name="G", kind="GROUP"))
    assert states(seen(*said, groups={"G": ("VI_1", "VI_2")})) == ["MASTER", "MASTER"]


def test_the_word_of_a_group_counts_no_longer_than_that_of_an_instance() -> None:
    old = event("MASTER", NOW - 200, name="G", kind="GROUP")
    assert states(seen(old, groups={"G": ("VI_1", "VI_2")})) == ["UNKNOWN"] * 2
    new = event("MASTER", name="G", kind="GROUP")
    assert states(seen(new, running=GONE, groups={"G": ("VI_1", "VI_2")})) == ["UNKNOWN"] * 2


def test_an_instance_that_is_configured_no_more_is_not_shown_whatever_was_said_of_it() -> None:
    found = seen(event("BACKUP"), event("FAULT", NOW + 1, name="VI_2"), configured=TWO[:1])
    assert [(one.name, one.state) for one in found.instances] == [("VI_1", "BACKUP")]
    assert [vip.instance for vip in found.vips] == ["VI_1"]


def test_an_instance_without_vips_is_shown() -> None:
    found = seen(event("FAULT", name="VI_9"), configured=(instance("VI_9"),))
    assert (states(found), found.vips) == (["FAULT"], ())


def test_where_no_configuration_is_known_all_that_keepalived_speaks_of_is_shown() -> None:
    assert [one.name for one in seen(event("MASTER"), event("MASTER", name="G", kind="GROUP"),
                                     configured=(), running=HIDDEN).instances] == ["VI_1"]  # fmt: skip


def test_what_has_no_news_is_the_same_object_as_before() -> None:
    """Its lines are not made again for a scrape then."""
    pictures, histories = Pictures(), InstanceHistories()
    on_lo = Present({"10.0.0.2": (Link("eth0", is_up=True, is_loopback=False),)}, frozenset({"eth0"}))
    histories.add([event("BACKUP"), event("MASTER", name="VI_2")])
    first = pictures.of(snapshot(histories, present=on_lo))
    assert pictures.of(snapshot(histories, present=on_lo)) is first
    histories.add([event("MASTER", NOW + 1)])
    second = pictures.of(snapshot(histories, present=on_lo))
    assert (second.instances[0].state, second.vips[0].expected) == ("MASTER", True)
    assert second.instances[1] is first.instances[1]
    assert second.vips[1] is first.vips[1]
    gone = pictures.of(snapshot(histories, present=Present({}, frozenset())))
    assert (gone.vips[1].present, gone.vips[1].trouble) == (
        False, "Keepalived says MASTER, but 10.0.0.2 is on no interface",
    )  # fmt: skip
    assert gone.instances[1] is first.instances[1]


def test_the_death_of_keepalived_is_news_of_every_instance() -> None:
    pictures, histories = Pictures(), InstanceHistories()
    histories.add([event("BACKUP"), event("MASTER", name="VI_2")])
    assert states(pictures.of(snapshot(histories))) == ["BACKUP", "MASTER"]
    assert states(pictures.of(snapshot(histories, GONE))) == ["UNKNOWN", "UNKNOWN"]
