"""The generated parts of docs/*.md, made from what the code declares: `make docs`, or `python -m docs.generate`.

A part stands between `<!-- generated: WHAT -->` and `<!-- end -->`; all else is written by hand and kept. WHAT is

    probe NAME          a probe of the registry: its docstring and its settings
    notifier NAME       a notifier likewise
    command NAME        another command likewise
    shared HEADING      the settings that several commands share under this heading
    findings THEME      what `hacheck ipfailover lint` finds, of one theme of its catalogue

A probe, a notifier or a heading that has no part yet gets one.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from hachecks.checks.schedule import Schedule
from hachecks.click_settings import SettingsCommand, default_of
from hachecks.commands import Group, tree
from hachecks.delivery.options import DeliveryOptions
from hachecks.ipfailover.lint.catalogue import rules_of
from hachecks.registry import NOTIFIERS, PROBES
from hachecks.settings import REQUIRED, heading_of, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hachecks.settings import Setting

HERE = Path(__file__).parent
PART = re.compile(r"<!-- generated: (\w+) (.+?) -->\n(.*?)<!-- end -->\n", re.DOTALL)
FLAG = re.compile(r"(?<![\w`'\"./=-])(--?[a-z][a-z0-9-]*|/[a-z-]+(?:/[\w-]+)+(?:\.\w+)*|[A-Z]+(?:_[A-Z0-9]+)+(?!=))\b")
"""What is set as code: flags, paths and variables."""
TIMES = (("h", 3600), ("m", 60), ("s", 1))
ARGUMENTS = "\n\n\b\n  "
"""What the help of a command has before the list of its arguments, which the table has."""
KEYLESS = {"state_dir"}
"""Settings that are the node's, and no keys of a check."""
PAGES = {
    "How it is run": "probes.md",
    "How the verdict is told": "probes.md",
    "TLS": "probes.md",
    "The way to the target": "probes.md",
    "What is told, and when": "notifiers.md",
    "What the node is known from": "exporter.md",
    "Where a drain is kept": "ipfailover.md",
    "Variables of ipfailover": "ipfailover.md",
    "How the agent runs it": "agent.md",
    "Services of the cluster": "services.md",
}
"""The page that has the settings under a heading."""
OTHERS = "configuration.md"
"""The page that has those under any other heading."""
KEYS_ONLY = {"How the agent runs it": Schedule}
"""Headings whose settings are keys of a check, and neither flags nor variables: by what declares them."""
WITH_KEYS = {"How it is run", "TLS", "The way to the target", "What is told, and when"}
"""Headings whose settings are keys of a check or notifier as well."""


class Page(NamedTuple):
    """A page with its generated parts."""

    path: Path
    text: str

    def made(self) -> str:
        """The text with each part as it should be; raises `LookupError` for a part of something that is not there."""
        text = self.text
        if "<!-- generated: probe " in text:
            text = with_all(text, "probe", list(PROBES))
        if "<!-- generated: notifier " in text:
            text = with_all(text, "notifier", list(NOTIFIERS))
        text = with_all(text, "shared", [one for one in HEADINGS if page_of(one) == self.path.name])
        return PART.sub(lambda found: part(found[1], found[2], self.path.name), text)


def with_all(text: str, kind: str, names: list[str]) -> str:
    """The text with an empty part for each name that has none, before the next one's, or before the shared ones."""
    for name in reversed(names):
        if f"<!-- generated: {kind} {name} -->" in text:
            continue
        others = [f"{kind} {other}" for other in names[names.index(name) + 1 :]]
        before = (text.find(f"<!-- generated: {other}") for other in [*others, "shared "])
        at = next((place for place in before if place >= 0), len(text))
        text = f"{text[:at].rstrip()}\n\n<!-- generated: {kind} {name} -->\n<!-- end -->\n\n{text[at:]}"
    return f"{text.rstrip()}\n"


def part(kind: str, name: str, page: str) -> str:
    """One part, with its marks."""
    content = (
        {"shared": shared, "findings": findings}[kind](name) if kind in ("shared", "findings") else entry(name, page)
    )
    return "\n".join([f"<!-- generated: {kind} {name} -->", *content, "<!-- end -->", ""])


def entry(name: str, page: str) -> Iterator[str]:
    """A command: heading, what it says of itself, its own settings, and where those are that it shares with others."""
    command = COMMANDS[name]
    is_declared = name in PROBES or name in NOTIFIERS
    yield from (f"## {name}" if is_declared else f"## `hacheck {name}`", "")
    yield from prose((command.help or "").partition(ARGUMENTS)[0])
    own = [setting for setting in command.declared if not heading_of(setting.owner)]
    if own:
        yield from (*table(own, name, has_keys=is_declared), "")
    also = list(references(command, page))
    if also:
        yield f"It also has what stands under {', '.join(also[:-1])}{' and ' if also[1:] else ''}{also[-1]}."


def references(command: SettingsCommand, page: str) -> Iterator[str]:
    """A link to each heading under which a command has settings, with what it has not."""
    has = {setting.name for setting in command.declared}
    for heading in headings_of(command):
        there = page_of(heading)
        lacks = [f"`{setting.changing_flag}`" for setting in HEADINGS[heading] if setting.name not in has]
        without = f" (without {', '.join(lacks)})" if lacks else ""
        yield f"[{heading}]({there if there != page else ''}#{anchor(heading)}){without}"


def shared(heading: str) -> Iterator[str]:
    """The settings under a heading."""
    found = HEADINGS[heading]
    yield from (f"## {heading}", "", *prose(found[0].owner.__doc__ or ""))
    yield from keys(found) if heading in KEYS_ONLY else table(found, "notifier", heading in WITH_KEYS)


def keys(settings: Iterable[Setting]) -> Iterator[str]:
    """The settings as a table of keys of hacheck.toml."""
    yield from ("| key | default | what it says |", "|---|---|---|")
    yield from (row([f"`{one.name}`", default(one), marked(one.help)]) for one in settings)


def findings(theme: str) -> Iterator[str]:
    """The rules of a theme: a table of all, then each with what there is to say of it."""
    rules = rules_of(theme)
    yield from (f"## {theme[0].upper()}{theme[1:]}", "", "| code | severity | what is found |", "|---|---|---|")
    yield from (row([f"[{one.code}](#{one.code.lower()})", one.severity, marked(one.title)]) for one in rules)
    for one in rules:
        yield from ("", f"### {one.code}", "", f"**{marked(one.title)}** ({one.severity})", "", marked(one.why), "")
        yield from (f"Cure: {marked(one.cure)}.", "", f"Known from: {marked(one.evidence)}.")


def headings_of(command: SettingsCommand) -> list[str]:
    """The headings under which a command has settings that others have, too."""
    return [one for one in dict.fromkeys(heading_of(setting.owner) for setting in command.declared) if one]


def page_of(heading: str) -> str:
    """The page that has the settings under a heading."""
    return PAGES.get(heading, OTHERS)


def table(settings: Iterable[Setting], command: str, has_keys: bool) -> Iterator[str]:
    """The settings as a table, one on a row."""
    settings = list(settings)
    has_variables = any(setting.variable(command) for setting in settings)
    columns = [
        "option",
        *(["key"] if has_keys else []),
        *(["variable"] if has_variables else []),
        "default",
        "what it says",
    ]
    yield from (f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}")
    for setting in settings:
        for flag, text in setting.flags.items():
            keys = [f"in `{setting.name}`"] if has_keys else []
            value = flag[2:].partition("-")[2].upper() or "TEXT"
            yield row([f"`{flag} {value}`", *keys, *([""] if has_variables else []), "", text])
        keys = [key_of(setting)] if has_keys else []
        value = "=no" if setting.is_flag and setting.default else ""
        variable = [f"`{setting.variable(command)}{value}`"] if has_variables else []
        yield row([option_of(setting), *keys, *variable, default(setting), marked(setting.help)])


def row(cells: list[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def option_of(setting: Setting) -> str:
    """How it is written on the command line."""
    if setting.secret:
        return "not on the command line"
    if setting.positional:
        return f"`{setting.placeholder}`"
    short = f"`{setting.short}`, " if setting.short else ""
    value = "" if setting.is_flag else f" {setting.placeholder}"
    return f"{short}`{setting.changing_flag}{value}`"


def key_of(setting: Setting) -> str:
    """How it is written in hacheck.toml."""
    if setting.name in KEYLESS:
        return ""
    return f"`{setting.name}{' = false' if setting.is_flag and setting.default else ''}`"


def default(setting: Setting) -> str:
    """What holds where nothing is said."""
    if setting.default is REQUIRED:
        return "required"
    if not default_of(setting) or setting.default == "":
        return ""
    if setting.type_name == "Duration":
        fitting = ((unit, size) for unit, size in TIMES if setting.default % size == 0 or size == 1)
        unit, seconds = next(fitting) if setting.default else ("s", 1)
        return f"`{setting.default / seconds:g}{unit}`"
    return f"`{setting.default}`"


def prose(text: str) -> Iterator[str]:
    """A docstring as Markdown; what click is told to leave as it stands is a block."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        first, _, rest = paragraph.partition("\n")
        if first in ("\b", r"\b"):
            yield from ("```text", inspect.cleandoc(rest), "```", "")
        else:
            yield from (marked(paragraph), "")


def marked(text: str) -> str:
    """Plain text as Markdown."""
    escaped = text.replace("\\", "\\\\").replace("*", "\\*").replace("<", "&lt;")
    return FLAG.sub(r"`\1`", escaped)


def anchor(heading: str) -> str:
    """What GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def commands_of(group: Group, before: str = "") -> Iterator[tuple[str, SettingsCommand]]:
    """Every command of a group and of those in it, by all its words."""
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        if isinstance(command, Group):
            yield from commands_of(command, f"{word} ")
        if isinstance(command, SettingsCommand):
            yield f"{before}{word}", command


def commands() -> Iterator[tuple[str, SettingsCommand]]:
    """Every command that is declared by settings, each notifier among them."""
    yield from commands_of(tree)
    for name, one in NOTIFIERS.items():
        yield name, SettingsCommand(name, [one.load(), DeliveryOptions], lambda *_: 0)


COMMANDS = dict(commands())
HEADINGS = {
    heading: max(
        ([s for s in command.declared if heading_of(s.owner) == heading] for command in COMMANDS.values()), key=len
    )
    for command in COMMANDS.values()
    for heading in headings_of(command)
}
"""The settings under each heading, of the command that has most of them."""
HEADINGS.update({heading: list(settings_of(declared)) for heading, declared in KEYS_ONLY.items()})


def pages() -> Iterator[Page]:
    """Every page of docs/."""
    return (Page(path, path.read_text()) for path in sorted(HERE.glob("*.md")))


def main() -> None:
    """Write what is not as it should be, and say so."""
    for page in pages():
        text = page.made()
        if text != page.text:
            page.path.write_text(text)
            sys.stdout.write(f"{page.path.relative_to(HERE.parent)}\n")


if __name__ == "__main__":
    main()
