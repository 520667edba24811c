"""What a probe's or notifier's own test module declares, from which the tests of all of them are derived.

    CONTRACTS   a probe's command lines, one of which or more must FAIL in time against every server of the zoo
                ({host} and {port} stand for the server); empty where the probe connects to nothing
    BASES       command lines, to one of which at least each option can be added
    SAMPLES     valid values by flag, where the value's type alone does not say what is one; may be left out

The module is called after the thing: `tests/probes/test_tcp.py`, `tests/notifiers/test_mail.py`.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from hachecks.registry import NOTIFIERS, PROBES
from tests.cli import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from hachecks.settings import Setting

MEMORY_KIB = 64 * 1024
"""What a check may take."""
BY_TYPE = {
    "str": "text",
    "int": "7",
    "Port": "8080",
    "Duration": "250ms",
    "Size": "2KiB",
    "Ip": "192.0.2.7",
    "Target": "192.0.2.7:99",
    "Endpoint": "192.0.2.7:99",
    "Url": "http://192.0.2.7/",
    "ProxyUrl": "http://192.0.2.7:3128",
    "Header": "a: b",
    "ExtraHeader": "a: b",
    "Pattern": "text",
    "CallerName": "text",
    "MailAddress": "a@example.test",
    "TemplateText": "text",
}
"""A value of each type that several commands have; a type of one command alone has its value in `SAMPLES` there."""


def module_of_tests(name: str) -> ModuleType:
    """The test module of a probe or notifier."""
    path = f"tests/{'probes' if name in PROBES else 'notifiers'}/test_{name}.py"
    assert (ROOT / path).exists(), f"{name} has no test module {path}"
    return import_module(path[:-3].replace("/", "."))


def declared(name: str, constant: str) -> Any:
    """What the test module of a probe or notifier declares."""
    module = module_of_tests(name)
    assert hasattr(module, constant), f"{module.__file__} declares no {constant} (tests/contracts.py says what it is)"
    return getattr(module, constant)


def sample(name: str, setting: Setting) -> str:
    """A value that is valid for a setting of this command, and not its default."""
    own = getattr(module_of_tests(name), "SAMPLES", {}) if name in (*PROBES, *NOTIFIERS) else {}
    if setting.flag in own:
        return str(own[setting.flag])
    if setting.is_flag:
        return "false" if setting.default else "true"
    if setting.choices:
        return next(choice for choice in setting.choices if choice != setting.default)
    if setting.metavar == "FILE":
        return "/etc/hostname"
    assert setting.type_name in BY_TYPE, (
        f"what is a {setting.type_name}? Write a valid one for {setting.flag} into SAMPLES of the tests of {name}"
    )
    return BY_TYPE[setting.type_name]


# The choices of an option, each of which is run


class Stage(NamedTuple):
    """What a run may need: a directory of its own, and ways to the servers, which start when they are wanted."""

    path: Path
    want: Callable[[str], object]


RUNS: dict[str, Callable[[str, Stage], None]] = {}
"""By option, written `CLASS --flag`."""


def run_of(option: str) -> Callable[[Callable[[str, Stage], None]], Callable[[str, Stage], None]]:
    """Declare the run for each choice of the option."""

    def note(run: Callable[[str, Stage], None]) -> Callable[[str, Stage], None]:
        RUNS[option] = run
        return run

    return note


# What is said


PROGRAMMERS = re.compile(
    r"""bytearray|\bb['"]|\w(?:Error|Exception)\b|\bNone\b|Traceback|<[\w.]+ object|_ssl|Errno|codec|\bself\.
    |\b[A-Z0-9]+_[A-Z0-9_]+\b|\{\}|\bdict\b|\btuple\b|0x[0-9a-f]+""",
    re.VERBOSE,
)
"""What Python and OpenSSL say to programmers."""
QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")


def names_of_a_programmer(reason: str) -> list[str]:
    """What in a reason only a programmer understands; what is quoted is the server's own."""
    return PROGRAMMERS.findall(QUOTED.sub("", reason.replace("self-signed", "")))
