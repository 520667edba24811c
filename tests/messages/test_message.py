"""One message tells what happened so that a person can act on it."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hachecks.delivery.options import DeliveryOptions
from hachecks.messages.fields import rfc3339
from hachecks.messages.fit import fit_lines, lines_of
from hachecks.messages.message import Message, Severity, TemplateText, weight
from hachecks.messages.payload import data_of
from hachecks.verdict import visible
from tests.events import AT, event, message, messages, storm


@pytest.mark.parametrize(
    ("before", "state", "severity"),
    [
        ("MASTER", "FAULT", "critical"),
        ("BACKUP", "FAULT", "warning"),
        (None, "FAULT", "warning"),
        ("MASTER", "STOP", "warning"),
        ("BACKUP", "DELETED", "warning"),
        ("BACKUP", "MASTER", "info"),
        ("MASTER", "BACKUP", "info"),
        ("FAULT", "MASTER", "info"),
        ("MASTER", "MASTER_PRIORITY", "info"),
    ],
)
def test_the_loss_of_a_master_matters_most(before: str | None, state: str, severity: str) -> None:
    assert Severity.of(before, state).name == severity


def test_one_change_is_told_in_one_line() -> None:
    told = message(event("VI_1", "FAULT", "MASTER"), vips={"VI_1": ["10.0.0.1", "10.0.0.2"]}, why="port 443 refused")
    assert told.title == "critical: VI_1 is FAULT on node-1"
    assert told.body == "VI_1 (10.0.0.1, 10.0.0.2): FAULT, was MASTER for 60 min: port 443 refused"


def test_a_recovery_says_how_long_it_was_down() -> None:
    told = message(event("VI_1", "MASTER", "FAULT", since=AT - 192), vips={})
    assert told.body == "VI_1: MASTER, was FAULT for 3 min"


def test_the_reason_of_a_check_is_none_for_what_is_no_fault() -> None:
    assert "refused" not in message(event("VI_1", "BACKUP", "MASTER"), why="port 443 refused").body


def test_a_flap_is_summed_up() -> None:
    flap = [event("V", "FAULT", "MASTER", number=1), event("V", "BACKUP", "FAULT", number=2)]
    told = message(*flap, event("V", "MASTER", "BACKUP", number=3), vips={})
    assert told.body == "V: 3 changes, now MASTER, was MASTER for 60 min"
    assert told.title == "info: V is MASTER on node-1"


def test_a_storm_is_one_message_with_the_worst_first() -> None:
    events = [event(f"V{n}", "BACKUP", "MASTER", number=n) for n in range(1, 251)]
    events += [event(f"W{n}", "FAULT", "MASTER", number=n) for n in range(251, 256)]
    told = message(*events, vips={})
    assert told.title == "critical: 255 instances changed: 250 BACKUP, 5 FAULT on node-1"
    lines = told.body.splitlines()
    assert len(lines) == 255
    assert all("FAULT" in line for line in lines[:5])
    assert [one.number for one in told.events] == list(range(1, 256))


def test_an_instance_and_a_group_of_one_name_are_two() -> None:
    told = message(event("V", "FAULT", number=1), event("V", "FAULT", number=2, kind="GROUP"))
    assert len(told.changes) == 2


def test_the_key_is_the_same_for_the_same_events_only() -> None:
    assert message(event(number=1)).key == f"{1:032x}"
    assert storm(3).key == storm(3).key
    assert storm(3).key != storm(4).key
    assert len(storm(3).key) == 32


def test_a_test_says_that_it_is_one() -> None:
    assert message(test=True).title.startswith("[test] critical: ")


def test_templates_are_filled() -> None:
    told = message(event("V"), vips={}, why="broken", title="$node/$severity/$count", body="$why: $changes $$")
    assert (told.title, told.body) == ("node-1/critical/1", "broken: V: FAULT, was MASTER for 60 min: broken $")


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("$nonsense", "there is no $nonsense; there are $node, $severity, $summary, $changes, $why, $count"),
        ("costs 5$", "has a $ that begins no name; write $$ for the sign itself"),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(template: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"there is no|begins no name") as raised:
        TemplateText.parse(template)
    assert complaint in str(raised.value)


@settings(deadline=None)
@given(messages())
def test_no_name_is_taken_for_a_template(told: Message) -> None:
    assert told.summary in told.title
    assert [one.key for one in told.events] == [one.key for _, one in told.one_by_one]
    assert len(told.events) == sum(len(change.events) for change in told.changes)


@given(st.floats(AT, AT + 1))
def test_no_time_is_told_that_is_yet_to_come(at: float) -> None:
    told = datetime.fromisoformat(rfc3339(at).replace("Z", "+00:00")).timestamp()
    assert -1.1e-6 < at - told < 0.001


@given(st.integers(0, 999))
def test_a_time_in_whole_milliseconds_is_told_as_it_is(thousandths: int) -> None:
    assert rfc3339(int(AT) + thousandths / 1000) == f"2026-11-22T17:00:00.{thousandths:03}Z"


def test_a_group_is_called_one_and_has_no_vip_of_an_instance_of_its_name() -> None:
    vips = {"V": ["10.0.0.1"]}
    told = message(event("V", number=1), event("V", number=2, kind="GROUP"), vips=vips)
    assert [str(change) for change in told.changes] == [
        "V (10.0.0.1): FAULT, was MASTER for 60 min",
        "group V: FAULT, was MASTER for 60 min",
    ]
    assert told.summary == "2 instances and groups changed: 2 FAULT"
    assert message(event("G", kind="GROUP")).title == "critical: group G is FAULT on node-1"
    groups = message(event("G", number=1, kind="GROUP"), event("H", number=2, kind="GROUP"))
    assert groups.summary == "2 groups changed: 2 FAULT"


def test_a_reason_that_several_share_is_told_once() -> None:
    long = "x" * 400
    told = message(*(event(f"V{number}", number=number) for number in range(1, 11)), vips={}, why=long)
    lines = told.body.splitlines()
    assert len(lines) == 10
    assert lines[0].endswith(f": {long}")
    assert all(line.endswith("min: same reason") for line in lines[1:])
    assert all(str(change).endswith(long) for change in told.changes)


def test_a_long_reason_pushes_nobody_out_of_a_small_message() -> None:
    told = message(*(event(f"V{number}", number=number) for number in range(1, 11)), vips={}, why="x" * 400)
    shown = "\n".join(fit_lines(lines_of(told), 1200))
    assert [number for number in range(1, 11) if f"V{number}:" not in shown] == []
    data = data_of(told, 6000)
    assert (data["omitted"], len(data["changes"])) == (0, 10)
    assert data["changes"][0]["why"] == "x" * 400
    assert data["changes"][9]["why"].startswith("xxxx")
    assert all(change["why"] == "x" * 400 for change in data_of(told, 10**6)["changes"])


@pytest.mark.parametrize("name", ["V\x1b[31m", "V\n- all is well", "V\u202eLUAF", "V\x00", "V\u2028x"])
def test_no_character_of_a_name_acts_on_the_reader(name: str) -> None:
    told = message(event(name), vips={name: [name]}, why=name, node=name)
    for text in (told.title, *told.body.split("\n"), told.summary, str(told.changes[0])):
        assert text.isprintable(), text
    assert told.body.count("\n") == 0
    assert visible(name) in told.title


def test_who_was_told_of_a_problem_is_told_that_it_was_taken_out() -> None:
    assert weight("FAULT", "DELETED") == Severity.critical
    assert DeliveryOptions(severity="critical").wants(event("V", "DELETED", "FAULT"))
