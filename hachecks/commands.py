"""What can be asked of `hacheck` besides plain checks? Help, errors, and the commands that are no checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hachecks import __version__, argv, cli, config, versions
from hachecks.click_settings import SettingsCommand
from hachecks.config import nearest
from hachecks.delivery import deliverer, notifications, record
from hachecks.delivery.channel import DeliveryOptions
from hachecks.registry import NOTIFIERS, PROBES, Entry
from hachecks.settings import Invalid, build
from hachecks.transitions.fifo import FifoReader
from hachecks.transitions.transition import KINDS
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RUN_SUMMARY = "Run a check that hacheck.toml declares."
LONGEST_SUMMARY = 1000
"""Characters beyond which click cuts a summary in the middle of a sentence."""
NEEDS_AGENT = "it needs the package hachecks[agent]: pip install 'hachecks[agent]'"
SERVE = Entry("hachecks.exporter.main:serve", "the exporter")
SHOW = Entry("hachecks.status:show", "the status")
LATE: Mapping[str, Entry] = {
    "exporter": Entry("hachecks.exporter.options:ExporterOptions", "Serve VIP state to Prometheus, and a status page."),
    "status": Entry("hachecks.status:StatusOptions", "Tell whether every VIP is where Keepalived says."),
}
"""Commands whose modules are imported when they are named: they are dear, and not all there in the executable."""


def main(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the click tree over a command line and return the exit status."""
    try:
        with tree.make_context("hacheck", list(words), obj=environ) as context:
            return int(tree.invoke(context) or 0)
    except click.exceptions.Exit:  # help, or the version, was shown
        return cli.PASSED if is_all_that_is_asked(words) else cli.USAGE
    except click.ClickException as error:
        cli.complain(described(error))
        return cli.USAGE
    except click.Abort:
        return cli.INTERRUPTED


def is_all_that_is_asked(words: Sequence[str]) -> bool:
    """Whether help stands alone, as in `hacheck tcp --help`.

    `hacheck tcp -h 10.0.0.5` shows help as well, and as the script of a check it would pass for ever.
    """
    first = words[0]
    if len(words) > (1 if first.startswith("-") else 2) and (first.startswith("-") or cli.signature(first)):
        cli.complain(f"{' '.join(words)}: this shows help, and checks nothing")
        return False
    return True


def described(error: click.ClickException) -> str:
    """The error in one line: where, what, and the nearest thing that would be right."""
    context = getattr(error, "ctx", None)
    words = context.command_path.split()[1:] if context else []
    text = " ".join(error.format_message().split())
    if isinstance(error, click.NoSuchOption):
        flags = [flag for param in context.command.params for flag in param.opts] if context else []
        text = f"no such option {error.option_name}{nearest(error.option_name, flags)}"
    return f"{''.join(f'{word}: ' for word in words)}{text} (see {' '.join(['hacheck', *words, '--help'])})"


class CommandGroup(click.Group):
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
            shown = {name: command for name, command in self.commands.items() if not command.hidden}
            others = {name: command.get_short_help_str(LONGEST_SUMMARY) for name, command in shown.items()}
            others.update({name: entry.summary for name, entry in LATE.items()})
            formatter.write_dl([("run", RUN_SUMMARY), *sorted(others.items())])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, or a usage error that names the nearest one."""
        if self.get_command(ctx, args[0]) is None:
            ctx.fail(f"no such command {args[0] or repr('')}{nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=CommandGroup,
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
        raise click.UsageError("nothing is asked; write hacheck PROBE TARGET, or hacheck run NAME", ctx)


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
    if not rows:
        raise Invalid(f"{path}: it declares neither a check nor a notifier; write [check.NAME]")
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for row in rows:
        cli.say(visible("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]])))
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
        return cli.PASSED if record.test(words, ctx.obj, cli.say) else cli.FAILED
    if dry_run:
        record.dry_run(words, ctx.obj, cli.say)
        return cli.PASSED
    if fifo:
        if len(words) != 1:
            raise click.UsageError("--fifo takes the path of Keepalived's notify FIFO", ctx)
        starter = record.DeliveryStarter(ctx.obj, cli.complain)
        FifoReader(words[0], ctx.obj, cli.complain, starter.see_to_delivery).follow()
        return cli.PASSED
    if not any(word in KINDS for word in words):
        raise click.UsageError(
            "Keepalived said nothing: notify_master, notify_backup, notify_fault and notify_stop pass no words; "
            "use notify, or write them, as in: hacheck notify INSTANCE VI_1 MASTER",
            ctx,
        )
    try:
        record.record(words, ctx.obj)
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
    notifications.show_history(build(notifications.HistoryOptions, "history", flags, environ, {}), environ, cli.say)
    return cli.PASSED


tree.add_command(SettingsCommand("history", [notifications.HistoryOptions], show_history))


@tree.command("notifications")
@click.argument("verb", type=click.Choice(["list", "retry", "drop", "silence", "unsilence"]), default="list")
@click.argument("words", nargs=-1)
@click.pass_context
def notifications_command(ctx: click.Context, verb: str, words: tuple[str, ...]) -> int:
    """Show what waits to be told, and what could not be; `silence 2h [WHY]` tells nobody anything for a while."""
    config = ctx.obj.get("HACHECK_CONFIG") or record.DEFAULT_CONFIG
    return cli.PASSED if notifications.Notifications(config, ctx.obj, cli.say).do(verb, words) else cli.FAILED


@tree.command("deliver", hidden=True)
@click.option("--config", default=None)
@click.pass_context
def deliver_command(ctx: click.Context, config: str | None) -> None:
    """Deliver what has been recorded, until there is nothing left to deliver."""
    deliverer.leave_keepalived()
    deliverer.deliver(config or ctx.obj.get("HACHECK_CONFIG") or record.DEFAULT_CONFIG, ctx.obj, cli.say)


@tree.command("version")
@click.option("-v", "--verbose", is_flag=True, help="Also the interpreter and every package that is carried.")
def version(verbose: bool) -> None:
    """Print the version."""
    cli.say(f"hacheck {__version__}")
    if verbose:
        for line in versions.carried():
            cli.say(line)


COMPLETION = Entry("hachecks.completion:Completion", "Print a script that completes words in your shell.")


@tree.command("completion", help=COMPLETION.summary)
@click.argument("shell", type=click.Choice(["bash", "fish", "zsh"]))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """`hacheck completion`."""
    COMPLETION.load()(shell=shell).run(ctx.obj, cli)
