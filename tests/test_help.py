"""The help says what each option does, offers nothing that is refused, and is never cut short."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click
import pytest

from hachecks.checks.command_line import signature
from hachecks.checks.runner import RunOptions
from hachecks.click_settings import SettingsCommand
from hachecks.commands import tree
from hachecks.delivery.options import DeliveryOptions
from hachecks.registry import COMMANDS, NOTIFIERS, PROBES
from hachecks.settings import build, settings_of
from tests.cli import hacheck
from tests.contracts import declared, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.settings import Setting

SPOKEN = [*tree.list_commands(click.Context(tree)), *(name for name in COMMANDS if " " in name)]
WORDS_OF_NO = re.compile(r"(no|not|never|do not|don't|without)\b", re.IGNORECASE)


def classes_of(name: str) -> tuple[type, ...]:
    """The settings classes of a probe or notifier."""
    return signature(name) if name in PROBES else (NOTIFIERS[name].load(), DeliveryOptions)


def settings_by_command() -> Iterator[tuple[str, Setting]]:
    for name in (*PROBES, *NOTIFIERS):
        for cls in classes_of(name):
            for setting in settings_of(cls):
                yield name, setting


EVERY = [pytest.param(name, setting, id=f"{name} {setting.flag}") for name, setting in settings_by_command()]
FLAGS = [param for param in EVERY if param.values[1].is_flag]  # type: ignore[union-attr]


def record_of(name: str, setting: Setting) -> tuple[str, str]:
    """The two columns of the help on a setting."""
    command = SettingsCommand(name, classes_of(name), lambda *_: 0)
    (option,) = (param for param in command.params if param.name == setting.name and isinstance(param, click.Option))
    record = option.get_help_record(click.Context(command))
    assert record is not None
    return record


@pytest.mark.parametrize(("name", "setting"), FLAGS)
def test_the_help_on_a_yes_or_no_option_is_about_the_spelling_it_shows(name: str, setting: Setting) -> None:
    spelling, text = record_of(name, setting)
    negative = spelling.startswith("--no-")
    assert negative == setting.default
    assert spelling.endswith(setting.changing_flag)
    assert f"--no-{setting.flag[2:]}" not in text
    assert (f"{setting.variable(name)}=no]" in text) == negative
    stem = setting.name.split("_")[0]
    assert not (negative and text.lower().startswith(stem)), f"{spelling} does the opposite of: {text}"
    assert not (not negative and WORDS_OF_NO.match(text)), f"{spelling} does the opposite of: {text}"


HINT = re.compile(r"\bneeds (--[a-z0-9-]+)")


def refusal_of(name: str, words: str, given: dict[str, Any]) -> str:
    """Why a command line does not take these values; empty where it does, or would with what it says it needs."""
    caught: dict[str, Any] = {}

    def act(flags: Any, _environ: Any) -> int:
        caught.update(flags)
        return 0

    try:
        SettingsCommand(name, classes_of(name), act).main(words.split(), standalone_mode=False, obj={})
        for cls in classes_of(name):
            mine = [other.name for other in settings_of(cls)]
            build(cls, name, {key: value for key, value in {**caught, **given}.items() if key in mine}, {}, {})
    except (ValueError, click.ClickException) as refusal:
        hint = HINT.search(str(refusal))
        needed = next((s for cls in classes_of(name) for s in settings_of(cls) if hint and s.flag == hint[1]), None)
        if needed is None or needed.name in given:
            return str(refusal)
        return refusal_of(name, words, {**given, needed.name: valid(name, needed)})
    return ""


def valid(name: str, setting: Setting) -> Any:
    text = sample(name, setting)
    return setting.convert([text] if setting.many else text)


@pytest.mark.parametrize(("name", "setting"), EVERY)
def test_every_option_that_is_offered_is_taken(name: str, setting: Setting) -> None:
    refusals = [refusal_of(name, words, {setting.name: valid(name, setting)}) for words in declared(name, "BASES")]
    assert "" in refusals, refusals


TAKING = [param for param in EVERY if param not in FLAGS]
MAY_BE_EMPTY = {"COMMAND", "TEMPLATE", "TEXT"}


@pytest.mark.parametrize(("name", "setting"), TAKING)
def test_an_empty_value_says_nothing_and_is_refused(name: str, setting: Setting) -> None:
    if setting.default == "" or setting.metavar in MAY_BE_EMPTY:
        return
    for empty in ("", " "):
        with pytest.raises(ValueError, match=r"^nothing is given; was a variable empty"):
            setting.convert([empty] if setting.many else empty)
    assert name


@pytest.mark.parametrize("flag", ["--send", "--send-hex", "--expect", "--expect-hex", "--expect-regex"])
def test_an_empty_step_of_a_dialogue_is_refused(flag: str) -> None:
    answer = hacheck("tcp", "127.0.0.1:9", flag, "")
    assert (answer.code, answer.out) == (2, "")


@pytest.mark.parametrize("name", ["", *SPOKEN, *(f"notify {notifier}" for notifier in NOTIFIERS)])
def test_no_help_is_cut_short(name: str) -> None:
    answer = hacheck(*name.split(), "--help")
    assert (answer.code, answer.err) == (0, "")
    assert not re.search(r"\w\.\.\.", answer.out), name


def test_the_options_that_all_share_are_taken_together() -> None:
    samples = {s.name: s.convert(sample("run", s)) for s in settings_of(RunOptions)}
    assert build(RunOptions, "file", samples, {}, {}).rise == 7
