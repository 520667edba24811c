"""Whatever a file of state says, nobody breaks at it, and what is taken from it is of the right type."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hachecks.delivery.dead_letters import Letter
from hachecks.delivery.queue_state import LONGEST_ASKED_SECONDS, QueueState, queues
from hachecks.delivery.silence import LONGEST_SILENCE_SECONDS, silence_left
from hachecks.kept import document, is_number, is_text, is_whole, is_word, is_words
from hachecks.services.slack_threads import Thread
from hachecks.transitions.event import MOST_SUBJECTS, TransitionLog
from tests.events import event

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

SIMPLE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from([10**400, -1, 2**60])
)
ANYTHING = st.recursive(
    SIMPLE,
    lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(max_size=9), some, max_size=4),
    max_leaves=12,
)


def documents(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that have some of these fields, with anything in them."""
    return st.dictionaries(st.sampled_from(names), ANYTHING)


QUEUE = documents(
    "told",
    "attempts",
    "not_before",
    "wait",
    "sending",
    "trouble",
    "waiting",
    "fallback_told",
    "failures",
    "dropped",
    "durations",
    "seconds",
    "last_success",
    "deliveries",
)
SILENCE = documents("until", "seconds", "since", "boot", "why")
THREAD = documents("ts", "channel", "at", "names", "open", "earlier", "keys")
LETTER = documents("at", "notifier", "reason", "events")
relaxed = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@relaxed
@given(QUEUE)
def test_any_queue_is_read(tmp_path: Path, kept: dict[str, Any]) -> None:
    (tmp_path / "queue-x").write_text(json.dumps(kept))
    one = QueueState(str(tmp_path / "queue-x"))
    assert one.delivered_up_to is None or is_whole(one.delivered_up_to)
    assert 0 <= one.retry_left() <= LONGEST_ASKED_SECONDS
    one.stats.count(1.0)
    one.save()
    assert one.save_error == ""
    (queue,) = queues(str(tmp_path))
    assert queue.deliveries == one.stats.deliveries


@relaxed
@given(SILENCE)
def test_any_silence_ends(tmp_path: Path, kept: dict[str, Any]) -> None:
    (tmp_path / "silence").write_text(json.dumps(kept))
    assert 0 <= silence_left(str(tmp_path)) <= LONGEST_SILENCE_SECONDS


@relaxed
@given(ANYTHING | THREAD)
def test_any_thread_is_one_or_none(facts: object) -> None:
    thread = Thread.load(json.loads(json.dumps(facts)))
    assert thread is None or isinstance(thread.may_be_followed_up(60, 0), bool)


@relaxed
@given(ANYTHING | LETTER)
def test_any_line_is_a_letter_or_none(facts: object) -> None:
    try:
        letter = Letter.parse(json.dumps(facts))
    except ValueError:
        return
    assert letter.events


@pytest.mark.parametrize("text", ["", "[]", "null", "1", "[" * 99_999, '{"a":' * 99_999])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no object|Expecting|too deeply"):
        document(text)


@given(ANYTHING)
def test_a_value_is_what_it_is_said_to_be(value: object) -> None:
    if is_whole(value) or is_number(value):
        assert not isinstance(value, bool)
        assert value * 2 >= 0  # type: ignore[operator]
    if is_word(value) or is_text(value):
        assert str(value).encode() is not None
    if is_words(value):
        assert isinstance(value, list)


def test_made_up_names_fill_no_memory() -> None:
    understanding = TransitionLog(100)
    for number in range(MOST_SUBJECTS + 500):
        understanding.add(event(f"V{number}", number=number))
    assert len(understanding.latest) == MOST_SUBJECTS
    assert len(understanding.keys) == 100
    assert ("INSTANCE", "V499") not in understanding.latest
    understanding.add(event("V500", "MASTER", number=10**6))
    understanding.add(event("W", number=10**6 + 1))
    assert understanding.latest["INSTANCE", "V500"].state == "MASTER", "who spoke last is forgotten last"
