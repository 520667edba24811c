"""The click tree of `hacheck`: help, errors, and the commands that are no checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hachecks import __version__, cli
from hachecks.checks.command_line import RUN, signature
from hachecks.click_settings import SettingsCommand
from hachecks.config import nearest
from hachecks.delivery.options import DeliveryOptions
from hachecks.registry import COMMANDS, GROUPS, NOTIFIERS, PROBES
from hachecks.settings import Invalid, build

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RUN_SUMMARY = "Run a check that hacheck.toml declares."
NEEDS_AGENT = "it needs the package hachecks[agent]: pip install 'hachecks[agent]'"


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
    if len(words) > (1 if first.startswith("-") else 2) and (first.startswith("-") or signature(first)):
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


class Group(click.Group):
    """Commands below one word; each is imported when it is named, and none is for `--help`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Those that are named with this word before."""
        return [name.partition(" ")[2] for name in COMMANDS if name.startswith(f"{self.name} ")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, by its own word."""
        whole = f"{self.name} {cmd_name}"
        return command_of(whole) if whole in COMMANDS else None

    def summaries(self) -> dict[str, list[tuple[str, str]]]:
        """What the help lists, by heading: the commands with a line on each."""
        names = self.list_commands(click.Context(self))
        return {"Commands": [(name, COMMANDS[f"{self.name} {name}"].summary) for name in names]}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands from the registry."""
        for heading, rows in self.summaries().items():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, or a usage error that names the nearest one."""
        if self.get_command(ctx, args[0]) is None:
            ctx.fail(f"no such command {args[0] or repr('')}{nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


class Tree(Group):
    """All commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The probes first, then what works with them."""
        return [*PROBES, RUN, *(name for name, _ in others())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """A check command made of its settings, a group, or another command."""
        classes = signature(cmd_name)
        if classes:
            return SettingsCommand(cmd_name, classes, lambda flags, environ: cli.perform(cmd_name, flags, environ))
        if cmd_name in GROUPS:
            return Group(cmd_name, help=GROUPS[cmd_name], invoke_without_command=True, callback=nothing_is_asked)
        return command_of(cmd_name) if cmd_name in COMMANDS and " " not in cmd_name else None

    def summaries(self) -> dict[str, list[tuple[str, str]]]:
        """The probes apart from the others."""
        return {
            "Probes": [(name, entry.summary) for name, entry in PROBES.items()],
            "Commands": [(RUN, RUN_SUMMARY), *others()],
        }


@click.pass_context
def nothing_is_asked(ctx: click.Context) -> None:
    """Refuse a group's word that stands alone."""
    if ctx.invoked_subcommand is None and isinstance(ctx.command, Group):
        raise click.UsageError(f"say which: {', '.join(ctx.command.list_commands(ctx))}", ctx)


def others() -> list[tuple[str, str]]:
    """Commands that are no checks, and groups of them, with a line on each, in the order of their names."""
    alone = {name: entry.summary for name, entry in COMMANDS.items() if entry.summary and " " not in name}
    return sorted({**alone, **GROUPS}.items())


@click.group(
    cls=Tree,
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


def command_of(name: str) -> SettingsCommand:
    """A command that is no check; raises a usage error where what it needs is not installed."""
    try:
        declared = COMMANDS[name].load()
    except ImportError:
        raise click.UsageError(f"{name}: {NEEDS_AGENT}") from None
    kind = NotifyCommand if name == "notify" else SettingsCommand

    def act(flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
        command = build(declared, name, flags, environ, {})
        try:
            return cli.PASSED if command.run(environ, cli) else cli.FAILED
        except ImportError as error:
            raise Invalid(f"{name}: {NEEDS_AGENT} ({error})") from None

    return kind(name.rpartition(" ")[2], [declared], act)


class NotifyCommand(SettingsCommand):
    """`hacheck notify`, whose words are a notifier's, with the help of a notifier where one is named."""

    def get_help(self, ctx: click.Context) -> str:
        """The help of the notifier that is named, or what can be done and all notifiers there are."""
        named = next((word for word in self.words if word in NOTIFIERS), None)
        if named is not None:
            command = SettingsCommand(named, [NOTIFIERS[named].load(), DeliveryOptions], lambda *_: cli.PASSED)
            return command.get_help(click.Context(command, ctx, named))
        rows = [f"  {name:<14}{entry.summary}" for name, entry in NOTIFIERS.items()]
        return "\n".join([super().get_help(ctx), "", "Notifiers:", *rows])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Also remember the words, of which one may name a notifier."""
        self.words = list(args)  # click empties the list
        return super().parse_args(ctx, args)
