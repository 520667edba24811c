"""The command lines of the pod's children: Keepalived, and the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.follow.command import FollowCommand
from hachecks.node import config_id_in
from hachecks.own_command import own_command
from hachecks.settings import settings_of

if TYPE_CHECKING:
    from hachecks.ipfailover.commands.run import RunCommand
    from hachecks.node import Node


def of_keepalived(command: RunCommand) -> list[str]:
    """Keepalived in the foreground, which speaks to the container's output."""
    words = [command.keepalived, "-n", "-l", "-f", command.keepalived_config, "-p", command.pid_file]
    words += ["-r", vrrp_pid_file(command.pid_file)]
    if command.config_id and not config_id_in(command.keepalived_options):
        words += ["-i", command.config_id]
    return words + command.keepalived_words


def vrrp_pid_file(pid_file: str) -> str:
    """Where its VRRP process writes its own process id: beside that of the first."""
    stem = pid_file[: -len(".pid")] if pid_file.endswith(".pid") else pid_file
    return f"{stem}_vrrp.pid"


def of_agent(command: RunCommand, fifo: str, drain_file: str) -> list[str]:
    """The agent; what is not said here, variables say."""
    words = [*own_command(), "agent", "--fifo", fifo, "--keepalived-config", command.keepalived_config]
    words += ["--pid-file", command.pid_file]
    if drain_file:
        words += ["--drain-file", drain_file]
    for listen in command.listen:
        words += ["--listen", repr(listen)]
    return words


def of_follow(command: RunCommand) -> list[str]:
    """Who follows the cluster's Services, for the configuration that we have."""
    words, last = [*own_command(), "ipfailover", "follow"], []
    for setting in settings_of(FollowCommand):
        value = getattr(command, setting.name, setting.default)
        if value == setting.default or setting.variable("follow"):
            continue
        if setting.positional:
            last += value
        elif setting.is_flag:
            words.append(setting.changing_flag)
        else:
            words += [word for one in (value if setting.many else (value,)) for word in (setting.flag, str(one))]
    return [*words, *(["--", *last] if last else [])]


def environ_of(node: Node) -> dict[str, str]:
    """The environment of the agent and of who follows Services: they know the node as we do."""
    return {**node.environ_of_child, "NODE_NAME": node.name}
