"""Click commands made of declared settings."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import click

from hachecks.settings import REQUIRED, heading_of, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hachecks.settings import Setting


KEPT_LINES = "\b\n"
"""Before a paragraph whose lines click leaves as they are; raw docstrings write the backslash and the letter."""


class Value(click.ParamType):  # type: ignore[type-arg]  # not generic in click 8.1
    """A setting's own conversion as a click type, and the refusal of secrets on the command line."""

    def __init__(self, setting: Setting, prefix: str = "") -> None:
        self.setting = setting
        self.prefix = prefix
        self.name = setting.placeholder

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The converted value, or a usage error."""
        setting = self.setting
        command = (ctx.info_name if ctx else None) or ""
        if setting.secret:
            safe = f"{setting.flag}-file or the variable {setting.variable(command)}"
            self.fail(f"a secret on the command line can be read by everybody on the node; use {safe}", param, ctx)
        refusal = setting.refuse_on_argv and setting.refuse_on_argv(value)
        if refusal:
            self.fail(refusal, param, ctx)
        try:
            return setting.convert(self.prefix + value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def parameters(setting: Setting, command: str) -> Iterator[click.Parameter]:
    """The click parameters of a setting: one, or one for each way to spell it."""
    if setting.positional:
        nargs = -1 if setting.many else 1
        yield click.Argument(
            [setting.name], metavar=setting.placeholder, type=Value(setting), required=False, nargs=nargs
        )
        return
    for flag, text in setting.flags.items():
        kind = Value(setting, f"{flag[2:]} ")
        yield click.Option([flag, flag[2:].replace("-", "_")], multiple=True, type=kind, metavar=kind.name, help=text)
    name = setting.flag[2:]
    value = "=no" if setting.changing_flag != setting.flag else ""
    variable = setting.variable(command)
    told = f"{setting.help}{default_of(setting)}" + (f" [{variable}{value}]" if variable else "")
    short = [setting.short] if setting.short else []
    if setting.is_flag:
        yield Flag(
            [*short, f"--{name}/--no-{name}", setting.name], default=None, help=told, hidden_half=setting.default
        )
        return
    kind = Value(setting)
    declared = [*short, f"--{name}", setting.name]
    yield click.Option(
        declared,
        type=kind,
        metavar=kind.name,
        multiple=setting.many,
        help=told,
        hidden=setting.secret,
    )


def default_of(setting: Setting) -> str:
    """` (default 1.5)`, where there is one worth telling."""
    if setting.default is REQUIRED:
        return " (required)"
    return f" (default {setting.default})" if setting.default not in (None, (), "") and not setting.is_flag else ""


class Flag(click.Option):
    """A yes-or-no option, of which the help shows the half that changes something."""

    def __init__(self, *declared: Any, hidden_half: bool, **more: Any) -> None:
        super().__init__(*declared, **more)
        self.hidden_half = hidden_half

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:  # noqa: ARG002 - click's signature
        """`-x, --name`, or `--no-name` where yes is the default."""
        spellings = self.secondary_opts if self.hidden_half else sorted(self.opts, key=len)
        return ", ".join(spellings), self.help or ""


class SettingsCommand(click.Command):
    """A command whose parameters are what settings classes declare, and which hands on what was given.

    `act` gets the converted values by setting name, and the environment.
    """

    def __init__(
        self, name: str, classes: Sequence[type], act: Callable[[Mapping[str, Any], Mapping[str, str]], int]
    ) -> None:
        self.declared = [setting for cls in classes for setting in settings_of(cls)]
        self.headings = {s.name: heading_of(s.owner) or "Options" for s in self.declared}
        params = [param for setting in self.declared for param in parameters(setting, name)]
        arguments = [f"  {s.placeholder}  {s.help}" for s in self.declared if s.positional]
        about = inspect.cleandoc(classes[0].__doc__ or "").replace("\\b\n", KEPT_LINES) + (
            "\n\n\b\n" + "\n".join(arguments) if arguments else ""
        )
        parsing = {"ignore_unknown_options": vars(classes[0]).get("hands_on_options", False)}
        callback = click.pass_context(self._call)
        super().__init__(name, params=params, help=about, callback=callback, context_settings=parsing)
        self.act = act

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Also remember the order of the options, which the steps of a dialogue need."""
        try:
            _, _, ctx.meta["order"] = self.make_parser(ctx).parse_args(list(args))
        except click.UsageError as error:
            error.ctx = ctx
            raise
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command's own options first, then those it shares, under their headings."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                sections.setdefault(self.headings.get(param.name or "", "Options"), []).append(record)
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def _call(self, ctx: click.Context, /, **_: Any) -> int:
        values: dict[str, Any] = {
            setting.name: ctx.params[setting.name]
            for setting in self.declared
            if ctx.params.get(setting.name) not in (None, ()) and not setting.many
        }
        for setting in self.declared:
            if setting.positional and setting.many and ctx.params[setting.name]:
                values[setting.name] = sum(ctx.params[setting.name], ())
        given = {name: iter(value) for name, value in ctx.params.items() if isinstance(value, tuple)}
        for param in ctx.meta["order"]:
            if isinstance(param.type, Value) and param.type.setting.many and not param.type.setting.positional:
                name = param.type.setting.name
                values[name] = values.get(name, ()) + next(given[param.name or ""])
        return self.act(values, ctx.obj)
