"""The catalogue: every rule of lint by its code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint import (
    conf_commands,
    conf_elections,
    conf_files,
    conf_instances,
    conf_nodes,
    conf_scripts,
    conf_unicast,
    followed,
    kube_proxy,
    network,
    ours,
    pod_files,
    pod_life,
    pod_ours,
    pod_ours_probes,
    pod_rights,
    pod_rollout,
    pod_volumes,
    ports,
    stock_elections,
    stock_ids,
    stock_served,
    stock_text,
    stock_vips,
    together,
    understood,
)
from hachecks.ipfailover.lint.rule import findings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.ipfailover.lint.rule import Finding, Rule
    from hachecks.ipfailover.lint.subject import Subject

THEMES = (
    understood,
    stock_vips,
    stock_served,
    stock_ids,
    stock_text,
    stock_elections,
    ours,
    pod_rights,
    pod_rollout,
    pod_life,
    pod_files,
    pod_volumes,
    pod_ours,
    pod_ours_probes,
    network,
    kube_proxy,
    followed,
    conf_instances,
    conf_elections,
    conf_unicast,
    conf_scripts,
    conf_files,
    conf_commands,
    together,
    ports,
    conf_nodes,
)
"""Modules with `RULES`. HA010 to HA089 are about what the stock image makes of variables."""
RULES: Mapping[str, Rule] = {
    one.code: one for one in sorted((one for theme in THEMES for one in theme.RULES), key=lambda one: one.code)
}


PARTS: Mapping[str, range] = {
    "variables": range(100),
    "Kubernetes objects": range(100, 200),
    "keepalived.conf": range(200, 300),
    "several configurations at once": range(300, 400),
}
"""Themes of the documentation, by the numbers in the codes."""


def rules_of(theme: str) -> list[Rule]:
    """The rules of a theme of the documentation."""
    return [one for one in RULES.values() if int(one.code[2:]) in PARTS[theme]]


def lint(subject: Subject) -> list[Finding]:
    """Everything that is found, in the order of places, and of codes at one place."""
    found = [one for rule in RULES.values() for one in findings_of(rule, subject)]
    return sorted(found, key=lambda one: (one.place.file, one.place.line, str(one.place), one.rule.code))
