"""Settings: one declaration gives the flag, the variable, the TOML key, the conversion and the help."""

from __future__ import annotations

import sys

from hachecks.units import PARSERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, TypeVar

    from typing_extensions import dataclass_transform

    C = TypeVar("C", bound=type)
else:

    def dataclass_transform(**_):  # noqa: D103 - the type checker's, and nothing at run time
        return lambda decorator: decorator


REQUIRED: Any = object()
EXACT = {"COMMAND", "REGEX", "STEP", "TEMPLATE", "TEXT"}
"""What stands in the help for values whose blanks count."""
EMPTY = {"COMMAND", "TEMPLATE", "TEXT"}
"""And for those that may be empty: an empty pattern matches everything, and an empty interface is none."""


class Setting:
    """One declared setting of a `@settings` class."""

    def __init__(self, default: Any, **declared: Any) -> None:
        self.default = default
        self.help: str = declared["help"]
        self.metavar: str | None = declared.get("metavar")
        self.short: str | None = declared.get("short")
        self.secret: bool = declared.get("secret", False)
        self.positional: bool = declared.get("positional", False)
        self.flags: Mapping[str, str] = declared.get("flags", {})
        self.variables: Mapping[str, Callable[[str], str]] = declared.get("variables", {})
        self.refuse_on_argv: Callable[[str], str | None] | None = declared.get("refuse_on_argv")

    def bind(self, name: str, annotation: str, owner: type) -> None:
        """Learn the name, the type and the class from the declaration it stands in."""
        self.name = name
        self.owner = owner
        text = annotation.replace(" | None", "")
        self.many = text.startswith("tuple[")
        self.type_name = text[len("tuple[") : -len(", ...]")] if self.many else text
        self.is_flag = self.type_name == "bool"

    @property
    def flag(self) -> str:
        """`--name`, or the name alone where the setting is an argument."""
        return self.name.upper() if self.positional else "--" + self.name.replace("_", "-")

    @property
    def changing_flag(self) -> str:
        """The flag that changes something: `--no-name` where yes is the default, and what `help` is about there."""
        return f"--no-{self.flag[2:]}" if self.is_flag and self.default else self.flag

    @property
    def choices(self) -> tuple[str, ...]:
        """The words a `Literal[...]` setting takes."""
        if not self.type_name.startswith("Literal["):
            return ()
        return tuple(word.strip().strip("\"'") for word in self.type_name[8:-1].split(","))

    @property
    def placeholder(self) -> str:
        """What stands for the value in the help."""
        return self.metavar or "|".join(self.choices) or (self.name if self.positional else self.type_name).upper()

    def variable(self, command: str) -> str:
        """The environment variable that sets it: a setting that all probes share carries no probe's name.

        Empty where none does: what `flags_only` classes declare is for whoever writes the command.
        """
        if vars(self.owner).get("flags_only", False):
            return ""
        own = not is_shared(self.owner)
        return "_".join(["HACHECK", *([command.upper()] if own else []), self.name.upper()])

    def convert(self, value: Any) -> Any:
        """The value from text, or from what TOML gives; raises `ValueError` saying what is wrong and what to write."""
        if not self.many:
            return self._convert_one(value)
        return tuple(self._convert_one(item) for item in (value if isinstance(value, (list, tuple)) else [value]))

    def _convert_one(self, value: Any) -> Any:
        if isinstance(value, (list, tuple, dict)):
            raise ValueError(f"takes one value, not a {'table' if isinstance(value, dict) else 'list'}")
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if isinstance(value, bool) and not self.is_flag:
            raise ValueError(f"takes a value, not {text}")
        if not text.strip() and self.default != "" and self.metavar not in EMPTY:
            raise ValueError("nothing is given; was a variable empty?")
        if self.choices:
            if text not in self.choices:
                raise ValueError(f"{text!r} is none of {', '.join(self.choices)}")
            return text
        return self._parser()(text)

    def _parser(self) -> Callable[[str], Any]:
        parser = PARSERS.get(self.type_name)
        if parser is None:
            parser = getattr(sys.modules[self.owner.__module__], self.type_name).parse
        return parser

    @property
    def is_exact(self) -> bool:
        """Whether blanks around a value belong to it."""
        return self.secret or self.metavar in EXACT

    def from_variable(self, text: str) -> Any:
        """The value from an environment variable; several values stand on a line each.

        Variables come from files, which end in a line end, and from YAML, where a blank is soon written: neither is
        taken for a part of a value, unless it may be one.
        """
        if self.is_exact:
            return self.convert(text.splitlines() if self.many else text.rstrip("\r\n"))
        return self.convert([line.strip() for line in text.splitlines() if line.strip()] if self.many else text.strip())


def option(
    default: Any = REQUIRED,  # written `default=`, or type checkers take the setting for a required one
    *,
    help: str,
    metavar: str | None = None,
    short: str | None = None,
    secret: bool = False,
    refuse_on_argv: Callable[[str], str | None] | None = None,
    flags: Mapping[str, str] | None = None,
    variables: Mapping[str, Callable[[str], str]] | None = None,
) -> Any:
    """Declare a setting that has a flag; without a default it is required.

    `help` says what the flag does: of a yes-or-no setting whose default is yes, what `--no-NAME` does.
    A `secret` is refused on the command line and kept out of every repr. `refuse_on_argv` looks at a text from the
    command line and says what to do instead if it holds a secret. `flags` are spellings with the help of each: the
    value of `--send X` is the text `send X`, and the order of all of them on the command line is kept. `variables` are
    others' that say the same, in the order in which they count after our own, and how the text is found in each.
    """
    return Setting(
        default,
        help=help,
        metavar=metavar,
        short=short,
        secret=secret,
        refuse_on_argv=refuse_on_argv,
        flags=flags or {},
        variables=variables or {},
    )


def argument(
    default: Any = REQUIRED,
    *,
    help: str,
    metavar: str | None = None,
    refuse_on_argv: Callable[[str], str | None] | None = None,
) -> Any:
    """Declare a setting that is written without a flag; a tuple takes all words that are left."""
    return Setting(default, help=help, metavar=metavar, positional=True, refuse_on_argv=refuse_on_argv)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(option, argument))
def settings(cls: C) -> C:
    """Make a frozen value class of a class that declares settings.

    Written here because `dataclasses` costs 60 M instructions to import, half of what a whole TCP check may take.
    A `validate()` method, if there is one, runs last and raises `ValueError`. What a base declares and the class names
    in `not_offered` keeps its default.
    """
    declared: dict[str, Setting] = {}
    for base in reversed(cls.__mro__[1:]):
        declared.update(base.__dict__.get("__settings__", {}))
    for name in cls.__dict__.get("not_offered", ()):
        setattr(cls, name, declared.pop(name).default)
    annotations = cls.__dict__.get("__annotations__", {})  # noqa: RUF063 - an attribute would be the base's in 3.9
    for name, annotation in annotations.items():
        setting = cls.__dict__.get(name)
        if isinstance(setting, Setting):
            setting.bind(name, annotation, cls)
            declared[name] = setting
    for name, value in {"__settings__": declared, "__init__": _init, "__setattr__": _frozen, "__repr__": _repr}.items():
        setattr(cls, name, value)
    return cls


def _init(self: Any, **values: Any) -> None:
    for setting in settings_of(type(self)):
        value = values.pop(setting.name, setting.default)
        if value is REQUIRED:
            raise TypeError(f"{setting.name} is required")
        object.__setattr__(self, setting.name, value)
    if values:
        raise TypeError(f"no such setting: {', '.join(values)}")
    validate = getattr(self, "validate", None)
    if validate is not None:
        validate()


def _frozen(self: Any, _name: str, _value: object) -> None:
    raise AttributeError(f"{type(self).__name__} is frozen")


def _repr(self: Any) -> str:
    shown = (f"{s.name}={getattr(self, s.name)!r}" for s in settings_of(type(self)) if not s.secret)
    return f"{type(self).__name__}({', '.join(shown)})"


def settings_of(cls: type) -> Iterator[Setting]:
    """The settings a class declares, its bases' first."""
    return iter(cls.__settings__.values())  # type: ignore[attr-defined]


def is_shared(cls: type) -> bool:
    """Whether one variable sets it for all commands: a heading's settings do so, unless it says `own_variables`."""
    return bool(heading_of(cls)) and not vars(cls).get("own_variables", False)


def heading_of(cls: type) -> str:
    """Under which heading the help shows the settings that several commands share; empty for a command's own."""
    heading: str = vars(cls).get("heading", "")
    return heading


class Invalid(ValueError):  # noqa: N818 - the name says what happened
    """A setting cannot be used; the text says which, where it came from, and what to do."""


def gather(
    cls: type, command: str, flags: Mapping[str, Any], environ: Mapping[str, str], table: Mapping[str, Any], file: str
) -> dict[str, Any]:
    """The values for a settings class, from (in this order) flags, variables and a table of the configuration file.

    Flags are converted already; raises `Invalid` for the rest.
    """
    values: dict[str, Any] = {}
    for setting in settings_of(cls):
        variable = setting.variable(command)
        if setting.name in flags:
            values[setting.name] = flags[setting.name]
        elif is_something(environ.get(variable), setting):
            values[setting.name] = _named(variable, setting.from_variable, environ[variable])
        elif setting.variables and (found := _said_by_others(setting, environ)):
            values[setting.name] = _named(found[0], setting.from_variable, found[1])
        elif setting.name in table:
            values[setting.name] = _named(f"{file}: {setting.name}", setting.convert, table[setting.name])
    return values


def _said_by_others(setting: Setting, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The first variable of others' that says something for the setting, and what it says."""
    for variable, find in setting.variables.items():
        text = find(environ.get(variable, ""))
        if is_something(text, setting):
            return variable, text
    return None


def is_something(text: str | None, setting: Setting) -> bool:
    """Whether a variable is there and says anything."""
    return bool(text and (setting.is_exact or not text.isspace()))


def _named(where: str, convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return convert(value)
    except ValueError as error:
        raise Invalid(f"{where}: {error}") from None


def build(
    cls: type,
    command: str,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    table: Mapping[str, Any],
    file: str = "",
) -> Any:
    """An instance of a settings class; raises `Invalid`."""
    values = gather(cls, command, flags, environ, table, file)
    for setting in settings_of(cls):
        if setting.default is REQUIRED and setting.name not in values:
            raise Invalid(f"{file or command}: {setting.name if file else setting.flag} is missing")
    try:
        return cls(**values)
    except ValueError as error:
        fitting = {name: value for name, value in values.items() if name not in _shared(cls, command, flags, environ)}
        return _without(fitting, values, cls, Invalid(f"{file or command}: {error}"))


def _shared(cls: type, command: str, flags: Mapping[str, Any], environ: Mapping[str, str]) -> set[str]:
    """What was set by variables that several commands share."""
    shared = (s for s in settings_of(cls) if is_shared(s.owner) and s.name not in flags)
    return {s.name for s in shared if is_something(environ.get(s.variable(command)), s)}


def _without(fitting: Mapping[str, Any], values: Mapping[str, Any], cls: type, refusal: Invalid) -> Any:
    """The instance without what shared variables say, which are defaults for a whole pod.

    HACHECK_CA_FILE is there for its https checks, and makes no error of those that speak no TLS.
    """
    if len(fitting) < len(values):
        try:
            return cls(**fitting)
        except ValueError:
            pass
    raise refusal
