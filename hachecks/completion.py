"""`hacheck completion`: the scripts that complete in bash, zsh and fish, and the words that they offer.

The script calls `hacheck completion SHELL` at each TAB, with `_HACHECK_COMPLETE` and the words so far in variables, as
click's own scripts do; click finds what is to be completed. Nothing that is completed is run.
"""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

import hachecks
from hachecks.click_settings import SettingsCommand, Value
from hachecks.commands import Group, tree
from hachecks.config import Configuration
from hachecks.delivery.options import DeliveryOptions
from hachecks.registry import NOTIFIERS
from hachecks.settings import Invalid, argument, settings
from hachecks.transitions.transition import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    Item = CompletionItem[Any]

VARIABLE = "_HACHECK_COMPLETE"
"""Set by the scripts when they ask for words; the script itself is printed without it."""
FUNCTION = "_hacheck_completion"
KINDS_OF_PATH = {"FILE": "file", "PATH": "file", "DIR": "dir"}
"""By what stands for the value in the help: what the shell completes itself."""

BASH = """\
%(define)sfunction %(function)s {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
        plain,*) COMPREPLY+=("${line#*,}") ;;
        dir,*) compopt -o dirnames ;;
        file,*) compopt -o default ;;
        esac
    done < <(IFS=$'\\n'; env %(variable)s=1 COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \
%(command)s completion bash)
}
complete -F %(function)s hacheck
"""
ZSH = """\
#compdef hacheck
%(define)sfunction %(function)s {
    local kind key meaning
    local -a plain described
    for kind key meaning in "${(@f)$(env %(variable)s=1 COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \
%(command)s completion zsh)}"; do
        case $kind in
        plain) if [[ $meaning == _ ]]; then plain+=("$key"); else described+=("$key:$meaning"); fi ;;
        dir) _path_files -/ ;;
        file) _path_files -f ;;
        esac
    done
    if (( $#described )); then _describe -V hacheck described; fi
    if (( $#plain )); then compadd -V hacheck -a plain; fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then %(function)s "$@"; else compdef %(function)s hacheck; fi
"""
FISH = """\
%(define)sfunction %(function)s
    for line in (env %(variable)s=1 COMP_WORDS=(commandline -cp) COMP_CWORD=(commandline -t) \
%(command)s completion fish)
        set -l item (string split -m 1 , -- $line)
        switch $item[1]
            case dir
                __fish_complete_directories (commandline -t)
            case file
                __fish_complete_path (commandline -t)
            case plain
                echo $item[2]
        end
    end
end
complete --no-files --command hacheck --arguments "(%(function)s)"
"""
POSIX = 'command -v hacheck >/dev/null || function hacheck { %s "$@"; }\n'
"""The executable has no place in PATH, so that the script makes the command as well; an alias would hide it in zsh."""


class Script(ShellComplete):
    """A script that asks this very hacheck, however it was started."""

    define: ClassVar[str] = POSIX

    def source(self) -> str:
        """The script for the shell."""
        define = self.define % self.prog_name if self.prog_name.startswith("sh ") else ""
        names = {"define": define, "function": FUNCTION, "variable": VARIABLE, "command": self.prog_name}
        return self.source_template % names


class Bash(Script, BashComplete):
    """For bash."""

    source_template: ClassVar[str] = BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before, and the one that is begun; bash makes three of `--flag=value`."""
        args, incomplete = super().get_completion_args()
        return (args[:-1] if args[-1:] == ["="] else args), incomplete


class Zsh(Script, ZshComplete):
    """For zsh."""

    source_template: ClassVar[str] = ZSH


class Fish(Script, FishComplete):
    """For fish."""

    source_template: ClassVar[str] = FISH
    define: ClassVar[str] = "type -q hacheck; or function hacheck; %s $argv; end\n"


SHELLS: Mapping[str, type[Script]] = {"bash": Bash, "fish": Fish, "zsh": Zsh}


@settings
class Completion:
    """Print a script that completes commands, options and names in your shell.

    Names are those of hacheck.toml. Try it by `source <(hacheck completion bash)`, or in fish by
    `hacheck completion fish | source`. Where hacheck is in no PATH, the script makes that command as well.
    """

    shell: Literal["bash", "fish", "zsh"] = argument(help="The shell.")

    def run(self, environ: Mapping[str, str], output: Any) -> bool:
        """Say the script for the shell; where that asks, the words that may come next, one on a line."""
        script = SHELLS[self.shell](Commands(tree), {"obj": environ}, command(), VARIABLE)
        output.say(script.complete() if VARIABLE in environ else script.source().rstrip("\n"))
        return True


def command() -> str:
    """How this hacheck is started, as a shell reads it: `hacheck`, or `sh /path/hacheck` for the executable."""
    path = sys.argv[0]
    if not os.path.exists(str(getattr(hachecks, "__file__", ""))):  # see executable.loader
        words = ["sh", os.path.abspath(path)]
    elif os.path.basename(path) == "hacheck":
        words = [os.path.abspath(path) if "/" in path else path]
    else:
        words = [sys.executable, "-m", "hachecks"]
    return " ".join(map(shlex.quote, words))


class Commands(click.Group):
    """The commands of a group as they are completed; none is imported that is not named."""

    def __init__(self, group: Group) -> None:
        super().__init__(group.name, params=group.params)
        self.whole = group

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Item]:
        """The options, or the commands with their meanings."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return items(dict(row for rows in self.whole.summaries().values() for row in rows), incomplete)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, which knows the values of its settings; None where it cannot be had, or is not there."""
        try:
            one = self.whole.get_command(ctx, cmd_name)
        except click.UsageError:  # it needs a package that is not here
            return None
        if isinstance(one, Group):
            return Commands(one)
        if cmd_name == "notify" and one is not None:
            return Notify(one)
        return taught(one) if one is not None else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named, or one that takes anything: nothing is an error here."""
        anything = click.Command(args[0], params=[click.Argument(["words"], nargs=-1)], add_help_option=False)
        return args[0], self.get_command(ctx, args[0]) or anything, args[1:]


class Notify(Commands):
    """`hacheck notify`, as if each notifier were a command of its own."""

    def __init__(self, one: click.Command) -> None:
        click.Group.__init__(self, "notify", params=[p for p in one.params if isinstance(p, click.Option)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Item]:
        """The options, or the notifiers and what Keepalived says."""
        if incomplete.startswith("-"):
            return click.Group.shell_complete(self, ctx, incomplete)
        return items({**{name: entry.summary for name, entry in NOTIFIERS.items()}, **dict.fromkeys(KINDS)}, incomplete)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The notifier with its settings."""
        if cmd_name not in NOTIFIERS:
            return None
        classes = [NOTIFIERS[cmd_name].load(), DeliveryOptions]
        return taught(SettingsCommand(cmd_name, classes, lambda *_: 0))


def taught(one: click.Command) -> click.Command:
    """The command, each of whose parameters knows what it may be."""
    for param in one.params:
        if isinstance(param.type, Value):
            param.type = Known(param.type)
    return one


class Known(click.ParamType):  # type: ignore[type-arg]  # not generic in click 8.1
    """A setting's type that can complete its values."""

    def __init__(self, value: Value) -> None:
        self.setting = value.setting
        self.value = value
        self.name = value.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As the setting does."""
        return self.value.convert(value, param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Item]:  # noqa: ARG002
        """The choices, the names of checks, or that the shell is to look for files."""
        setting = self.setting
        if ctx.info_name == "run" and setting.positional:
            return items(checks(ctx), incomplete)
        if setting.placeholder in KINDS_OF_PATH:
            return [CompletionItem(incomplete, type=KINDS_OF_PATH[setting.placeholder])]
        return items(dict.fromkeys(setting.choices), incomplete)


def checks(ctx: click.Context) -> dict[str, str | None]:
    """The checks of hacheck.toml with the probe of each; none where it cannot be read."""
    try:
        tables = Configuration.read(ctx.params["config"] or ctx.obj.get("HACHECK_CONFIG") or default(ctx)).tables
    except Invalid:
        return {}
    return {name: str(table["probe"]) if "probe" in table else None for name, table in tables.items()}


def default(ctx: click.Context) -> str:
    """Where hacheck.toml is when nothing says it."""
    types = (param.type for param in ctx.command.params if param.name == "config")
    return next(str(one.setting.default) for one in types if isinstance(one, Known))


def items(words: Mapping[str, str | None], incomplete: str) -> list[Item]:
    """Those of the words, given with their meaning, that begin so."""
    return [CompletionItem(word, help=meaning) for word, meaning in words.items() if word.startswith(incomplete)]
