"""How do declared settings become click commands? Help, errors, and the commands that are no checks."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import click

from hachecks import __version__, argv, cli, config, deliverer, notify, records, versions
from hachecks.channel import DeliveryOptions
from hachecks.config import nearest
from hachecks.fifo import Follower
from hachecks.registry import NOTIFIERS, PROBES, Entry
from hachecks.settings import REQUIRED, Invalid, build, heading_of, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hachecks.settings import Setting

RUN_SUMMARY = "Run a check that hacheck.toml declares."
NEEDS_AGENT = "it needs the package hachecks[agent]: pip install 'hachecks[agent]'"
SERVE = Entry("hachecks.exporter.serving:serve", "the exporter")
SHOW = Entry("hachecks.status:show", "the status")
LATE: Mapping[str, Entry] = {
    "exporter": Entry("hachecks.exporter.options:ExporterOptions", "Serve VIP state to Prometheus, and a status page."),
    "status": Entry("hachecks.status:StatusOptions", "Tell whether every VIP is where Keepalived says."),
}
"""Commands whose modules are imported when they are named: they are dear, and not all there in the executable."""


def main(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the click tree over a command line and return the exit status."""
    try:
        return int(tree.main(list(words), "hacheck", standalone_mode=False, obj=environ) or 0)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        cli.complain(described(error))
        return cli.USAGE
    except click.Abort:
        return cli.INTERRUPTED


def described(error: click.ClickException) -> str:
    """The error in one line: where, what, and the nearest thing that would be right."""
    context = getattr(error, "ctx", None)
    words = context.command_path.split()[1:] if context else []
    text = " ".join(error.format_message().split())
    if isinstance(error, click.NoSuchOption):
        flags = [flag for param in context.command.params for flag in param.opts] if context else []
        text = f"no such option {error.option_name}{nearest(error.option_name, flags)}"
    return f"{''.join(f'{word}: ' for word in words)}{text} (see {' '.join(['hacheck', *words, '--help'])})"


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
        yield click.Argument([setting.name], metavar=setting.placeholder, type=Value(setting), required=False)
        return
    for flag, text in setting.flags.items():
        kind = Value(setting, f"{flag[2:]} ")
        yield click.Option([flag, flag[2:].replace("-", "_")], multiple=True, type=kind, metavar=kind.name, help=text)
    name = setting.flag[2:]
    told = f"{setting.help}{default_of(setting)} [{setting.variable(command)}]"
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
    return f" (default {setting.default})" if setting.default not in (None, ()) and not setting.is_flag else ""


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
        about = inspect.cleandoc(classes[0].__doc__ or "") + ("\n\n\b\n" + "\n".join(arguments) if arguments else "")
        super().__init__(name, params=params, help=about, callback=click.pass_context(self._call))
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

    def _call(self, ctx: click.Context, **_: Any) -> int:
        values: dict[str, Any] = {
            setting.name: ctx.params[setting.name]
            for setting in self.declared
            if ctx.params.get(setting.name) not in (None, ()) and not setting.many
        }
        given = {name: iter(value) for name, value in ctx.params.items() if isinstance(value, tuple)}
        for param in ctx.meta["order"]:
            if isinstance(param.type, Value) and param.type.setting.many:
                name = param.type.setting.name
                values[name] = values.get(name, ()) + next(given[param.name or ""])
        return self.act(values, ctx.obj)


class Checks(click.Group):
    """The group of all commands; a probe is imported when it is named, and none is for `--help`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The probes first, then what works with them."""
        return [*PROBES, "run", *sorted([*self.commands, *LATE])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A check command made of its settings, or another command."""
        classes = cli.signature(cmd_name)
        if classes:
            return SettingsCommand(cmd_name, classes, lambda flags, environ: cli.perform(cmd_name, flags, environ))
        if cmd_name in LATE:
            return late_command(cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands from the registry."""
        with formatter.section("Probes"):
            formatter.write_dl([(name, entry.summary) for name, entry in PROBES.items()])
        with formatter.section("Commands"):
            others = {
                name: command.get_short_help_str(80) for name, command in self.commands.items() if not command.hidden
            }
            others.update({name: entry.summary for name, entry in LATE.items()})
            formatter.write_dl([("run", RUN_SUMMARY), *sorted(others.items())])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, or a usage error that names the nearest one."""
        if self.get_command(ctx, args[0]) is None:
            ctx.fail(f"no such command {args[0]}{nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Checks,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="hacheck", message="%(prog)s %(version)s")
@click.pass_context
def tree(ctx: click.Context) -> None:
    """Health checks that Keepalived can trust.

    A check prints one line and exits 0 (PASS) or 1 (FAIL, or UNKNOWN: it could not look). A command that cannot be
    understood exits 2. `hacheck PROBE --help` tells what a probe can do, and what makes it PASS or FAIL.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def late_command(name: str) -> SettingsCommand:
    """`hacheck exporter` or `hacheck status`; raises a usage error where what it needs is not installed."""
    acts = {"exporter": serve, "status": show_status}
    try:
        return SettingsCommand(name, [LATE[name].load()], acts[name])
    except ImportError:
        raise click.UsageError(f"{name}: {NEEDS_AGENT}") from None


def serve(flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """`hacheck exporter`: serve until it is ended."""
    options = build(LATE["exporter"].load(), "exporter", flags, environ, {})
    try:
        run = SERVE.load()
    except ImportError as error:
        raise Invalid(f"exporter: {NEEDS_AGENT} ({error})") from None
    served = run(options, environ, check_name, lambda line: cli.complain(f"exporter: {line}"))
    return cli.PASSED if served else cli.FAILED


def show_status(flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """`hacheck status`: tell whether all agrees."""
    options = build(LATE["status"].load(), "status", flags, environ, {})
    return cli.PASSED if SHOW.load()(options, environ, check_name, cli.say) else cli.FAILED


def check_name(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """Under which name the check that these words run publishes its verdict; raises `Invalid`."""
    classes = cli.signature(words[0])
    flags = argv.read(words[1:], classes) if classes else None
    if flags is None:
        raise Invalid(f"{' '.join(words)} is no check")
    subject = build(classes[0], words[0], flags, environ, {})
    return str(subject.name) if words[0] == "run" else f"{words[0]}-{cli.fingerprint(repr(subject))}"


def list_checks(flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """`hacheck checks`: validate the configuration and print a line for each check and notifier."""
    path = build(cli.ConfigOptions, "checks", flags, environ, {}).config
    declared = config.Configuration.read(path)
    rows = declared.rows(environ)
    for name, table in declared.notifiers.items():
        declared.notifier(name, environ, DeliveryOptions)
        rows.append((name, str(table["notifier"]), "notifier"))
    widths = [max(len(row[column]) for row in rows) for column in range(2)] if rows else []
    for row in rows:
        cli.say("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]]))
    return cli.PASSED


list_checks_command = SettingsCommand("checks", [cli.ConfigOptions], list_checks)
list_checks_command.help = "Validate hacheck.toml and list the checks and notifiers it declares."
tree.add_command(list_checks_command)


@tree.command("notify", context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.option("--test", is_flag=True, help="Send a marked message now.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent.")
@click.option("--fifo", is_flag=True, help="Follow Keepalived's notify FIFO.")
@click.option("--help", "-h", "wants_help", is_flag=True)
@click.argument("words", nargs=-1)
@click.pass_context
def notify_command(
    ctx: click.Context, test: bool, dry_run: bool, fifo: bool, wants_help: bool, words: tuple[str, ...]
) -> int:
    r"""Record what Keepalived says, for all notifiers to be told.

    \b
    hacheck notify [NOTIFIER [OPTIONS]] GROUP|INSTANCE NAME STATE [PRIORITY]
                                  what Keepalived calls: record it, have it delivered
    hacheck notify --fifo PATH    follow Keepalived's notify FIFO, as its notify_fifo_script
    hacheck notify --test [NOTIFIER [OPTIONS]]
                                  send a marked message now, and say what was answered
    hacheck notify --dry-run [NOTIFIER [OPTIONS]] [INSTANCE NAME STATE [PRIORITY]]
                                  say what would be sent
    hacheck notify NOTIFIER --help
                                  say what a notifier can do

    Without a NOTIFIER, those that hacheck.toml declares are told; where it declares none, a log file is.
    """
    if wants_help:
        return _help_of_notifier(ctx, words)
    if test:
        return cli.PASSED if notify.test(words, ctx.obj, cli.say) else cli.FAILED
    if dry_run:
        notify.dry_run(words, ctx.obj, cli.say)
        return cli.PASSED
    if fifo:
        if len(words) != 1:
            raise click.UsageError("--fifo takes the path of Keepalived's notify FIFO", ctx)
        starter = notify.DeliveryStarter(ctx.obj, cli.complain)
        Follower(words[0], ctx.obj, cli.complain, starter.see_to_delivery).follow()
        return cli.PASSED
    try:
        notify.record(words, ctx.obj)
    except OSError as error:
        cli.complain(f"notify: not recorded: {error}")
        return cli.FAILED
    return cli.PASSED


def _help_of_notifier(ctx: click.Context, words: tuple[str, ...]) -> int:
    if words and words[0] in NOTIFIERS:
        command = SettingsCommand(words[0], [NOTIFIERS[words[0]].load(), DeliveryOptions], lambda *_: cli.PASSED)
        click.echo(command.get_help(click.Context(command, ctx, words[0])))
        return cli.PASSED
    click.echo(ctx.get_help())
    click.echo("\nNotifiers:")
    for name, entry in NOTIFIERS.items():
        click.echo(f"  {name:<14}{entry.summary}")
    return cli.PASSED


def show_history(flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """`hacheck history`: tell what Keepalived has said."""
    records.show_history(build(records.HistoryOptions, "history", flags, environ, {}), environ, cli.say)
    return cli.PASSED


tree.add_command(SettingsCommand("history", [records.HistoryOptions], show_history))


@tree.command("notifications")
@click.argument("verb", type=click.Choice(["list", "retry", "drop", "silence", "unsilence"]), default="list")
@click.argument("words", nargs=-1)
@click.pass_context
def notifications_command(ctx: click.Context, verb: str, words: tuple[str, ...]) -> int:
    """Show what waits to be told, and what could not be; `silence 2h [WHY]` tells nobody anything for a while."""
    config = ctx.obj.get("HACHECK_CONFIG") or notify.DEFAULT_CONFIG
    return cli.PASSED if records.Notifications(config, ctx.obj, cli.say).do(verb, words) else cli.FAILED


@tree.command("deliver", hidden=True)
@click.option("--config", default=None)
@click.pass_context
def deliver_command(ctx: click.Context, config: str | None) -> None:
    """Deliver what has been recorded, until there is nothing left to deliver."""
    deliverer.leave_keepalived()
    deliverer.deliver(config or ctx.obj.get("HACHECK_CONFIG") or notify.DEFAULT_CONFIG, ctx.obj, cli.say)


@tree.command("version")
@click.option("-v", "--verbose", is_flag=True, help="Also the interpreter and every package that is carried.")
def version(verbose: bool) -> None:
    """Print the version."""
    cli.say(f"hacheck {__version__}")
    if verbose:
        for line in versions.carried():
            cli.say(line)
