"""A reader of plain command lines, which needs no click.

click costs 110 M instructions to import, more than a whole TCP check may take. This reader takes the command lines it
understands completely, from the same declarations, and leaves everything else (errors and help included) to click.
"""

from __future__ import annotations

from hachecks.settings import settings_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from hachecks.settings import Setting


def read(words: Sequence[str], classes: Sequence[type]) -> dict[str, Any] | None:
    """The converted values of a command's arguments, by setting name; None when click should have a look."""
    known = {setting.name: setting for cls in classes for setting in settings_of(cls)}
    try:
        given = list(_assigned(iter(words), _spellings(known), [s for s in known.values() if s.positional]))
    except LookupError:
        return None
    values: dict[str, Any] = {}
    for setting, text in given:
        try:
            value = setting.convert(text)
        except ValueError:
            return None
        if setting.secret or (setting.refuse_on_argv and setting.refuse_on_argv(text)):
            return None
        values[setting.name] = values.get(setting.name, ()) + value if setting.many else value
    return values


def _spellings(known: Mapping[str, Setting]) -> dict[str, tuple[Setting, str]]:
    """Every way to write a flag, with what stands before its value, or with the value itself where it takes none."""
    spellings: dict[str, tuple[Setting, str]] = {}
    for setting in known.values():
        if setting.positional:
            continue
        spellings[setting.flag] = (setting, "true" if setting.is_flag else "")
        if setting.short:
            spellings[setting.short] = spellings[setting.flag]
        if setting.is_flag:
            spellings[f"--no-{setting.flag[2:]}"] = (setting, "false")
        for flag in setting.flags:
            spellings[flag] = (setting, flag[2:] + " ")
    return spellings


def _assigned(
    words: Iterator[str], spellings: Mapping[str, tuple[Setting, str]], arguments: list[Setting]
) -> Iterator[tuple[Setting, str]]:
    """Each setting with its text; raises `LookupError` at anything that is not plain."""
    for word in words:
        if not word.startswith("-") or word == "-":
            if not arguments:
                raise LookupError
            yield arguments.pop(0), word
            continue
        name, equals, text = word.partition("=") if word.startswith("--") else (word, "", "")
        setting, prefix = spellings[name]
        if setting.is_flag:
            if equals:
                raise LookupError
            yield setting, prefix
            continue
        following = text if equals else next(words, None)
        if following is None or (following.startswith("-") and not equals):
            raise LookupError
        yield setting, prefix + following
