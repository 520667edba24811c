"""All objects of what is asked for, in the order in which they are applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.manifests import monitoring, rights
from hachecks.ipfailover.manifests.config_map import config_map
from hachecks.ipfailover.manifests.refusals import refuse
from hachecks.ipfailover.manifests.rendering import refuse_unrendered
from hachecks.ipfailover.manifests.script_paths import refuse_missing
from hachecks.ipfailover.manifests.wanted import DEPLOYMENT
from hachecks.ipfailover.manifests.workload import disruption_budget, workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.ipfailover.manifests.manifest import Manifest
    from hachecks.ipfailover.manifests.wanted import Common, Configuration


def objects(
    configurations: Sequence[Configuration], common: Common, shipped: Sequence[str], *, with_namespace: bool
) -> Iterator[Manifest]:
    """The manifests, with those of the `shipped` ones that are asked for; raises `Invalid`."""
    refuse(configurations, common)
    if with_namespace:
        yield rights.namespace(common)
    yield rights.account(common)
    for one in configurations:
        yield from _objects_of(one, common)
    for name in shipped:
        yield monitoring.shipped(name, common)


def _objects_of(one: Configuration, common: Common) -> Iterator[Manifest]:
    """Those of a configuration alone, so that no other call for the same namespace takes anything away from it."""
    refuse_missing(one, common)
    if not common.is_stock:
        refuse_unrendered(one)
    if common.openshift:
        yield from rights.openshift(one, common)
    if common.follow:
        yield from rights.following(one, common)
    yield config_map(one, common)
    yield workload(one, common)
    if common.kind == DEPLOYMENT:
        yield disruption_budget(one, common)
