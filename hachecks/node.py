"""This node as the edge of the program is told of it; nobody below looks at the environment for any of it."""

from __future__ import annotations

import os

from hachecks import state
from hachecks.settings import build, option, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONFIG_FILE = "/etc/keepalive/hacheck.toml"
PORT = 10112
"""The exporter's: of 112, the number of VRRP among the IP protocols; 9100 to 9999 and some more are registered."""


@settings
class StateOptions:
    """Where the state of checks, transitions and notifications is kept."""

    heading = "Where state is kept"

    state_dir: str = option(
        default=state.DEDICATED, metavar="DIR", help="Where the journal, the history and the verdicts of checks are."
    )


@settings
class ConfigOptions:
    """Where checks and notifiers are declared."""

    heading = "Configuration"

    config: str = option(default=CONFIG_FILE, metavar="FILE", help="The configuration file.")


def config_id_in(options: str) -> str:
    """What Keepalived's command line names by `-i` or `--config-id`; empty where it names nothing."""
    import re

    found = re.findall(r"""(?:^|\s)(?:-i\s*|--config-id(?:=|\s+))["']?([^\s"']+)""", options)
    return str(found[-1]) if found else ""


@settings
class NodeOptions(StateOptions, ConfigOptions):
    """What the node is known from: the same flags for every command about it, so that one line can be made another."""

    heading = "What the node is known from"

    config: str = option(
        default=CONFIG_FILE,
        metavar="FILE",
        help="Where notifiers are declared: for deliver and notifications; the others read nothing of it.",
    )
    keepalived_config: str = option(
        default="/etc/keepalived/keepalived.conf",
        metavar="FILE",
        variables={"KEEPALIVED_CONFIG": str},
        help="Keepalived's configuration, also by KEEPALIVED_CONFIG; where it is not there, "
        "OPENSHIFT_HA_* variables say which VIPs there are.",
    )
    config_id: str = option(
        default="",
        metavar="ID",
        variables={"KEEPALIVED_CONFIG_ID": str, "KEEPALIVED_OPTIONS": config_id_in},
        help="Keepalived's -i, for lines that begin with @ID, also by KEEPALIVED_CONFIG_ID or the -i of "
        "KEEPALIVED_OPTIONS (default: the host's name).",
    )
    node_name: str = option(
        default="",
        metavar="NAME",
        variables={"NODE_NAME": str},
        help="The node as Kubernetes calls it, also by NODE_NAME (default: the host's name); history does not say it.",
    )


def node_of(environ: Mapping[str, str]) -> Node:
    """The node as the environment alone has it; raises `Invalid`."""
    return Node(build(NodeOptions, "node", {}, environ, {}), environ)


class Node:
    """A node's name, files and variables.

    `environ` is for what is built of it further down: notifiers and checks with their settings, OpenShift's variables,
    and the processes that are started.
    """

    def __init__(self, options: NodeOptions, environ: Mapping[str, str]) -> None:
        self.name = options.node_name or os.uname().nodename
        self.config = options.config
        self.state_dir = options.state_dir
        self.keepalived_config = options.keepalived_config
        self.config_id = options.config_id
        self.drain_file: str = getattr(options, "drain_file", "")
        self.syncs = environ.get("HACHECK_FSYNC") == "1"
        self.environ = environ

    @property
    def places(self) -> Sequence[str]:
        """Where state may be, in the order in which it is tried; see `state` for each user's own directory there."""
        return (self.state_dir, *state.PLACES) if self.state_dir not in state.PLACES else state.PLACES

    @property
    def environ_of_child(self) -> dict[str, str]:
        """The environment of a process of ours that is to know the node as this one does."""
        return {
            **self.environ,
            "HACHECK_CONFIG": self.config,
            "HACHECK_STATE_DIR": self.state_dir,
            "HACHECK_KEEPALIVED_CONFIG": self.keepalived_config,
            "HACHECK_CONFIG_ID": self.config_id,
            "HACHECK_NODE_NAME": self.name,
        }
