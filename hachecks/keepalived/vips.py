"""The VIPs of each instance, and Keepalived's script users, from the configuration that a node has."""

from __future__ import annotations

from hachecks.keepalived import openshift
from hachecks.keepalived.configuration import Configuration, Unreadable, read_configuration, vips_by_instance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.node import Node


def vips(node: Node) -> dict[str, list[str]]:
    """The VIPs of each instance, as Keepalived's configuration has them, or else OpenShift's variables."""
    return vips_by_instance(_configuration(node)) or vips_by_instance(openshift.configuration(node.environ))


def script_users(node: Node) -> tuple[str, ...]:
    """Whom Keepalived is configured to run its scripts as, by name or number."""
    return _configuration(node).script_users


def _configuration(node: Node) -> Configuration:
    """What Keepalived is configured to do; nothing where its file cannot be read."""
    try:
        return read_configuration(node.keepalived_config, node.config_id)
    except Unreadable:
        return Configuration((), (), {}, ())
