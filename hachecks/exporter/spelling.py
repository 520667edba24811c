"""The spelling of odd names: one way in all that is served, whatever they were read from, so that they can be found."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from hachecks.verdict import visible

if TYPE_CHECKING:
    from hachecks.keepalived.configuration import Configuration, VrrpInstance


def spelled_out(configuration: Configuration) -> Configuration:
    """The configuration with names in which nothing is hidden, and nothing acts on a terminal or a page."""
    names = (*configuration.groups, *(word for one in configuration.instances for word in (one.name, one.interface)))
    if all(map(str.isprintable, names)):
        return configuration
    instances = {visible(one.name): one for one in reversed(configuration.instances)}
    groups = {visible(name): tuple(map(visible, members)) for name, members in configuration.groups.items()}
    named = tuple(_named(name, one) for name, one in reversed(instances.items()))
    return configuration._replace(instances=named, groups=groups)


def escape(text: str) -> str:
    """The text for a page: nothing in it is markup, hidden, or turns the order of what follows."""
    return html.escape(visible(text))


def _named(name: str, instance: VrrpInstance) -> VrrpInstance:
    addresses = tuple(one._replace(interface=visible(one.interface)) for one in instance.addresses)
    return instance._replace(name=name, interface=visible(instance.interface), addresses=addresses)
