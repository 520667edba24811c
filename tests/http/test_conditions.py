"""A JSON document that says what it should, or does not."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hachecks.http import json_value
from hachecks.http.conditions import Condition

DOCUMENT = {
    "status": "ok",
    "depth": 3,
    "ratio": 0.5,
    "ready": True,
    "draining": False,
    "leader": None,
    "queue": {"depth": 3, "read only": False, "a.b": 1},
    "nodes": [{"name": "a"}, {"name": "b"}],
    "empty": [],
    "1": "one",
}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    "text",
    [
        '.status == "ok"',
        '.status=="ok"',
        '  .status  !=  "bad"  ',
        '.status =~ "^o"',
        '.status !~ "^k"',
        '.status < "p"',
        ".depth == 3.0",
        ".depth < 4",
        ".depth <= 3",
        ".depth > -1",
        ".depth >= 3",
        ".ratio == 5e-1",
        ".ready",
        ".ready == true",
        ".draining == false",
        ".leader == null",
        ".leader exists",
        ".other absent",
        ".queue.other absent",
        ".status.other absent",
        ".nodes[2] absent",
        ".queue.depth == 3",
        '.queue."read only" == false',
        '.queue["a.b"] == 1',
        '.queue."a.b" == 1',
        '.nodes[0].name == "a"',
        '.nodes[-1].name == "b"',
        '.nodes == [{"name": "a"}, {"name": "b"}]',
        ".nodes | length == 2",
        ".nodes|length>=2",
        ".queue | length < 4",
        ".status | length == 2",
        ".empty == []",
        ".empty | length == 0",
        '.1 == "one"',
        ". | length == 10",
        ". exists",
        ".",
    ],
)
def test_condition_is_met(text: str) -> None:
    assert Condition.parse(text).complaint(DOCUMENT) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param('.status == "bad"', 'it is "ok"', id="other-string"),
        pytest.param(".status == null", 'it is "ok"', id="string-is-not-null"),
        pytest.param(".ready == 1", "it is true", id="true-is-not-1"),
        pytest.param('.depth == "3"', "it is 3", id="number-is-not-string"),
        pytest.param('.depth < "4"', "it is 3", id="number-and-string-have-no-order"),
        pytest.param(".status < 4", 'it is "ok"', id="string-and-number-have-no-order"),
        pytest.param(".ready > 0", "it is true", id="boolean-has-no-order"),
        pytest.param('.depth =~ "3"', "it is 3", id="number-matches-nothing"),
        pytest.param('.depth !~ "4"', "it is 3", id="number-does-not-fail-to-match-either"),
        pytest.param(".draining", "it is false", id="false"),
        pytest.param(".leader", "it is null", id="null"),
        pytest.param(".other", "there is no .other", id="missing"),
        pytest.param('.other != "ok"', "there is no .other", id="missing-is-not-unequal"),
        pytest.param(".other exists", "there is no .other", id="missing-does-not-exist"),
        pytest.param(".status absent", 'it is "ok"', id="there-is-not-absent"),
        pytest.param(".queue.depth.deeper == 1", ".queue.depth is 3", id="path-through-a-number"),
        pytest.param(".nodes.name == 1", ".nodes is a list of 2", id="key-of-a-list"),
        pytest.param(".queue[0] == 1", ".queue is an object of 3", id="index-of-an-object"),
        pytest.param(".nodes[2].name == 1", "there is no .nodes[2]", id="index-too-large"),
        pytest.param(".nodes | length > 2", "it is 2", id="length"),
        pytest.param(".depth | length > 2", ".depth is 3, which has no length", id="length-of-a-number"),
        pytest.param(".queue == {}", "it is an object of 3", id="object"),
    ],
)
def test_condition_is_not_met_and_says_what_was_found(text: str, why: str) -> None:
    assert Condition.parse(text).complaint(DOCUMENT) == f"{text} is not so: {why}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "expected a path, such as .status", id="nothing"),
        pytest.param("status", "expected a path, such as .status", id="no-dot"),
        pytest.param(".a..b", "expected a name after a dot", id="two-dots"),
        pytest.param(".a.", "expected a name after a dot", id="dot-at-the-end"),
        pytest.param(".a[", "'' does not begin with a JSON value (a string is written \"…\")", id="open-bracket"),
        pytest.param(".a[1.5]", 'expected a number or a "key" in brackets', id="fraction"),
        pytest.param(".a[true]", 'expected a number or a "key" in brackets', id="boolean"),
        pytest.param(".a = 1", "'= 1' begins with none of == != <= >= =~ !~ < > exists absent", id="one-equals"),
        pytest.param(".a is 1", "'is 1' begins with none of == != <= >= =~ !~ < > exists absent", id="word"),
        pytest.param(".a == ok", "'ok' does not begin with a JSON value (a string is written \"…\")", id="no-quotes"),
        pytest.param(".a == 'ok'", '"\'ok\'" does not begin with a JSON value (a string is written "…")', id="quotes"),
        pytest.param(".a == NaN", "'NaN' does not begin with a JSON value (a string is written \"…\")", id="nan"),
        pytest.param(".a == 1 2", "'2' comes after it", id="more"),
        pytest.param(".a =~ 1", 'a regular expression is written "…"', id="regex-number"),
        pytest.param(
            '.a =~ "("',
            "'(' is not a regular expression: missing ), unterminated subpattern at position 0",
            id="regex-broken",
        ),
        pytest.param(".a < true", "< compares with a number or a string", id="order-of-booleans"),
        pytest.param(".a | size > 1", "only length can come after |", id="other-function"),
        pytest.param(".a | length", "a length is compared with a number", id="length-alone"),
        pytest.param('.a | length == "1"', "a length is compared with a number", id="length-and-string"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        Condition.parse(text)
    assert str(raised.value) == f"{text!r} is not a condition: {why}"


@given(st.text() | st.from_regex(r"\A(\.|\[|\"|a|0|\]|\||length|==|<|=~|exists| ){0,9}\Z"))
@example('."')
@example(".[")
@example(".\x00 == 1")
@example(".a == " + "[" * 5000)
@example(".a == " + "9" * 5000)
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        condition = Condition.parse(text)
    except ValueError:
        return
    condition.complaint(DOCUMENT)


@given(key=st.text(), value=VALUES, other=VALUES)
def test_any_key_is_reached_and_any_value_compared(key: str, value: object, other: object) -> None:
    path = f".{json.dumps(key)}"
    assert Condition.parse(f"{path} == {json.dumps(value)}").complaint({key: value}) is None
    assert Condition.parse(f"{path} != {json.dumps(value)}").complaint({key: value}) is not None
    equal = Condition.parse(f"{path} == {json.dumps(value)}").complaint({key: other}) is None
    assert equal == (Condition.parse(f"{path} != {json.dumps(value)}").complaint({key: other}) is not None)


@given(document=VALUES)
@pytest.mark.parametrize(
    "text", [".a < 1", '.a =~ "b"', ".a | length > 1", ".[0][0].a", '. == "x"', ". >= 0", ".a absent", ".a exists"]
)
def test_any_document_meets_a_condition_or_does_not(text: str, document: object) -> None:
    complaint = Condition.parse(text).complaint(document)
    assert complaint is None or complaint.startswith(f"{text} is not so: ")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("{", id="open"),
        pytest.param("nan", id="nan"),
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_value.parse(text)


NOT_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"]


@pytest.mark.parametrize("word", NOT_NUMBERS)
@pytest.mark.parametrize("condition", [".a", ".a < 5", ".a > 5", ".a != 5", ".a == null", ".a != null", '.a !~ "x"'])
def test_what_is_no_number_meets_no_condition(word: str, condition: str) -> None:
    document = json_value.parse(f'{{"a": {word}, "b": 1}}')
    assert Condition.parse(condition).complaint(document) == f"{condition} is not so: it is {word}"


@pytest.mark.parametrize("word", [*NOT_NUMBERS, "9" * 5000])
def test_what_stands_beside_what_is_no_number_is_judged(word: str) -> None:
    document = json_value.parse(f'{{"a": {word}, "b": [1, {word}]}}')
    for condition in (".b[0] == 1", ".b | length == 2", ".a exists", ".c absent"):
        assert Condition.parse(condition).complaint(document) is None


@given(st.text())
def test_any_text_is_a_document_or_refused(text: str) -> None:
    try:
        json_value.parse(text)
    except ValueError:
        return
