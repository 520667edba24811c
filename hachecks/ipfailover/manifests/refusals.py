"""Refusals: what is asked for that contradicts itself, that nobody would take, or that would have no effect."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hachecks.ipfailover.follow.options import SUBDOMAIN
from hachecks.ipfailover.manifests.volumes import needing_secret
from hachecks.ipfailover.render.target import is_address
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.ipfailover.manifests.wanted import Common, Configuration

OS = "kubernetes.io/os"


def refuse(configurations: Sequence[Configuration], common: Common) -> None:
    """Refuse what is wrong with all of them together, and with each; raises `Invalid`."""
    _refuse_same(configurations, common)
    _refuse_idle_secret(configurations, common)
    for one in configurations:
        _refuse_nodes(one)
        _refuse_watching_agents(one, configurations)


def _refuse_same(configurations: Sequence[Configuration], common: Common) -> None:
    """Refuse configurations whose objects would have one name, or that of the ConfigMap which pods write."""
    names: dict[str, str] = {}
    for one in configurations:
        other = names.setdefault(one.name, one.settings.config_name)
        if other != one.settings.config_name:
            raise Invalid(f"{other} and {one.settings.config_name} would both be called {one.name}; rename one")
        if common.follow and one.name == common.follow_map:
            raise Invalid(
                f"{one.settings.config_name}: its ConfigMap would be called {one.name}, as the one in which pods agree "
                "on ids; give another --ledger-config-map, or rename it"
            )


def _refuse_idle_secret(configurations: Sequence[Configuration], common: Common) -> None:
    if common.secret and not any(needing_secret(one, common) for one in configurations):
        raise Invalid(
            f"--secret {common.secret}: no variable names a file of it; give --auth-pass-file or --auth-hmac-key-file, "
            f"or say where it is mounted, --secret {common.secret}=DIR"
        )


def _refuse_nodes(one: Configuration) -> None:
    """Refuse nodes that no cluster has: a pod knows its node by the name that Kubernetes has for it."""
    where = one.settings.where("OPENSHIFT_HA_NODES")
    for node in one.plan.nodes:
        if not is_address(node) and not re.fullmatch(SUBDOMAIN, node, re.ASCII):
            raise Invalid(f"{where}: {node} is no node of Kubernetes, whose names have small letters, digits, - and .")
    system = one.selector.get(OS, "linux")
    if system != "linux":
        raise Invalid(f"{one.settings.where('OPENSHIFT_HA_SELECTOR')}: {OS}={system}: Keepalived runs on Linux alone")


def _refuse_watching_agents(one: Configuration, configurations: Sequence[Configuration]) -> None:
    """Refuse a default check that finds an agent where the service ought to be, and always passes."""
    port = one.settings.monitor_port
    if not one.settings.check_script and port in {other.port for other in configurations}:
        where = one.settings.where("OPENSHIFT_HA_MONITOR_PORT")
        raise Invalid(f"{where}: {port} is the port of an agent, which would be watched; give another --agent-port")
