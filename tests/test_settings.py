"""One declaration gives the flag, the variable and the TOML key, and all three mean the same."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks import argv
from hachecks.checks.runner import RunOptions
from hachecks.click_settings import SettingsCommand
from hachecks.delivery.options import DeliveryOptions
from hachecks.net.target import Endpoint
from hachecks.registry import NOTIFIERS, PROBES
from hachecks.settings import Invalid, Setting, build, is_something, option, settings, settings_of
from hachecks.units import PARSERS, parse_duration, parse_port, parse_size
from tests.contracts import sample


def every_setting() -> list[Any]:
    classes = {name: entry.load() for name, entry in {**PROBES, **NOTIFIERS}.items()}
    classes.update({"run": RunOptions, "notify": DeliveryOptions})
    return [
        pytest.param(name, cls, setting, id=f"{name} {setting.flag}")
        for name, cls in classes.items()
        for setting in settings_of(cls)
    ]


def words_for(setting: Setting, text: str) -> list[str]:
    if setting.positional:
        return [text]
    if setting.is_flag:
        return [setting.flag if text == "true" else f"--no-{setting.flag[2:]}"]
    return [setting.flag, text]


def through_click(name: str, cls: type, words: list[str]) -> dict[str, object]:
    caught: dict[str, object] = {}

    def act(flags: object, _environ: object) -> int:
        caught.update(flags)  # type: ignore[call-overload]
        return 0

    SettingsCommand(name, [cls], act).main(words, standalone_mode=False, obj={})
    return caught


@pytest.mark.parametrize(("name", "cls", "setting"), every_setting())
def test_flag_variable_and_file_mean_the_same(name: str, cls: type, setting: Setting) -> None:
    text = sample(name, setting)
    words = words_for(setting, text)
    expected = repr(setting.convert([text] if setting.many else text))

    from_variable = setting.from_variable(text)
    from_file = setting.convert([text] if setting.many else text)
    assert repr(from_variable) == repr(from_file) == expected
    if setting.secret:
        assert argv.read(words, [cls]) is None
        return
    plain = argv.read(words, [cls])
    assert plain is not None
    assert repr(plain[setting.name]) == expected
    assert repr(through_click(name, cls, words)[setting.name]) == expected


@pytest.mark.parametrize(("name", "cls", "setting"), every_setting())
def test_every_setting_has_help_and_its_own_variable(name: str, cls: type, setting: Setting) -> None:
    assert setting.help.endswith((".", "…")), setting.flag
    others = [other for other in settings_of(cls) if other is not setting]
    assert setting.variable(name) not in [other.variable(name) for other in others]


@settings
class Sample:
    """A sample."""

    size: int = option(help="Required.")
    words: tuple[str, ...] = option(default=(), help="Several.")
    password: str | None = option(default=None, secret=True, help="Hidden.")


def test_a_flag_counts_more_than_a_variable_and_that_more_than_the_file() -> None:
    environ = {"HACHECK_X_SIZE": "2"}
    assert build(Sample, "x", {"size": 1}, environ, {"size": 3}).size == 1
    assert build(Sample, "x", {}, environ, {"size": 3}).size == 2
    assert build(Sample, "x", {}, {}, {"size": 3}).size == 3


def test_a_variable_holds_several_values_on_a_line_each() -> None:
    assert build(Sample, "x", {"size": 1}, {"HACHECK_X_WORDS": "a b\nc"}, {}).words == ("a b", "c")


@pytest.mark.parametrize("blanks", ["{}\n", " {}", "{}\r\n", "\t{} \n"])
@pytest.mark.parametrize(
    ("name", "setting"), [pytest.param(*param.values[::2], id=param.id) for param in every_setting()]
)
def test_blanks_around_a_variable_are_no_part_of_its_value(name: str, setting: Setting, blanks: str) -> None:
    text = sample(name, setting)
    written = "{}\n" if setting.is_exact else blanks
    assert repr(setting.from_variable(written.format(text))) == repr(setting.from_variable(text))
    assert is_something(text, setting)
    assert not is_something("", setting)
    assert is_something(" \n", setting) == setting.is_exact


def test_a_blank_that_counts_stays() -> None:
    send = next(setting for setting in settings_of(PROBES["tcp"].load()) if setting.name == "dialogue")
    assert repr(send.from_variable("send PING \nexpect +PONG")) == repr(send.convert(["send PING ", "expect +PONG"]))
    assert build(Sample, "x", {"size": 1}, {"HACHECK_X_PASSWORD": " a b \n"}, {}).password == " a b "
    assert build(Sample, "x", {"size": 1}, {"HACHECK_X_WORDS": "a \n\n b\r\n"}, {}).words == ("a", "b")


def test_a_secret_is_in_no_repr() -> None:
    assert "hush" not in repr(Sample(size=1, password="hush"))


@pytest.mark.parametrize(
    ("environ", "table", "message"),
    [
        pytest.param({}, {}, "x: --size is missing", id="missing"),
        pytest.param({"HACHECK_X_SIZE": "many"}, {}, "HACHECK_X_SIZE: 'many' is not a whole number", id="variable"),
        pytest.param({}, {"size": "many"}, ": size: 'many' is not a whole number", id="file"),
        pytest.param({}, {"size": [1]}, ": size: takes one value, not a list", id="list"),
        pytest.param({}, {"size": True}, ": size: takes a value, not true", id="boolean"),
    ],
)
def test_what_is_wrong_is_named(environ: dict[str, str], table: dict[str, object], message: str) -> None:
    with pytest.raises(Invalid) as caught:
        build(Sample, "x", {}, environ, table)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("1.5", 1.5), ("1.5s", 1.5), ("200ms", 0.2), ("5m", 300), ("2h", 7200), ("7d", 604800), ("1 s", 1)),
        *(
            ("1h30m", 5400),
            ("1m 30s", 90),
            ("1h0m0s", 3600),
            ("1d 12h", 129600),
            ("2min30s500ms", 150.5),
            (" 5m ", 300),
        ),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        "-1s",
        "0",
        "1.2.3s",
        "1y",
        "1e3",
        "inf",
        "nan",
        "٣s",
        "9" * 400,
        "1 0s",
        "1h30",
        "30m1h",
        "1h1h",
        "5 5m",
        "h1",
        "1h-5m",
        "0h0m",
        "1s1",
        "1hm",
        "1.h.",
        "1H30M",
        "1m\0",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("65536", 65536), ("64KiB", 65536), ("16MB", 16_000_000), ("1.5 kib", 1536), ("1GiB 512MiB", 3 << 29)],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "0.5", "KiB", "1KB1MB", "1 000", "-1", "1e3", "1ZB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["0", "65536", "-1", "80x", "", "٨٠", "9" * 5000])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a port"):
        parse_port(text)


@given(st.sampled_from(sorted(PARSERS)), st.text(max_size=40))
def test_a_parser_gives_a_value_or_a_value_error(name: str, text: str) -> None:
    with suppress(ValueError):
        PARSERS[name](text)


def test_a_variable_for_the_whole_pod_makes_no_error_of_a_check_it_does_not_fit() -> None:
    probe = PROBES["tcp"].load()
    built = build(probe, "tcp", {"target": Endpoint.parse("x:1")}, {"HACHECK_CA_FILE": "/ca.pem"}, {})
    assert built.ca_file is None
    with pytest.raises(Invalid, match="--ca-file needs TLS"):
        build(probe, "tcp", {"target": Endpoint.parse("x:1"), "ca_file": "/ca.pem"}, {"HACHECK_TIMEOUT": "1s"}, {})


def test_how_each_notifier_tells_has_a_variable_of_its_own() -> None:
    assert build(DeliveryOptions, "slack", {}, {"HACHECK_SLACK_SEVERITY": "critical"}, {}).severity == "critical"
    assert build(DeliveryOptions, "slack", {}, {"HACHECK_SEVERITY": "critical"}, {}).severity == "info"
