"""Rules about Services that want a VIP from `hacheck ipfailover run --follow-services`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.follow.options import ANNOTATION, CLASS
from hachecks.ipfailover.lint.rule import NOTE, WARNING, Found, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject
    from hachecks.ipfailover.resources import Resource

FOLLOWS = "--follow-services"


def _of_our_class(subject: Subject) -> Iterator[Resource]:
    """Services of our class."""
    return (one for one in subject.of_kind("Service") if one.at("spec", "loadBalancerClass") == CLASS)


@rule(
    "HA170",
    WARNING,
    "a Service of our class that nobody follows",
    why="A Service with a loadBalancerClass is left alone by all controllers but the one of that name, and of those "
    f"that are given none is started with {FOLLOWS}: it stays pending, without a VIP.",
    cure=f"start hacheck ipfailover run with {FOLLOWS} and --service-range, or leave the class out",
    evidence="Kubernetes, Service.spec.loadBalancerClass",
)
def followed_by_nobody(subject: Subject) -> Iterator[Found]:
    """Services of our class, where workloads are given, and none of them follows Services."""
    containers = [one for workload in subject.workloads() for one in workload.containers()]
    follows = any(FOLLOWS in f"{one.fields.get('command')} {one.fields.get('args')}" for one in containers)
    for service in _of_our_class(subject) if containers and not follows else ():
        place = service.place(("spec", "loadBalancerClass"), "spec.loadBalancerClass")
        yield Found(place, f"no workload here has {FOLLOWS}")


@rule(
    "HA171",
    NOTE,
    "loadBalancerIP",
    why="Service.spec.loadBalancerIP is deprecated since Kubernetes 1.24: it has one address and no family, and may be "
    "gone in a later API.",
    cure=f"write the address, or one of each family, into the annotation {ANNOTATION}",
    evidence="Kubernetes, Service.spec.loadBalancerIP; kubernetes#107235",
)
def asks_by_the_old_field(subject: Subject) -> Iterator[Found]:
    """Services of our class that ask for an address by the older field."""
    for service in _of_our_class(subject):
        if service.at("spec", "loadBalancerIP"):
            place = service.place(("spec", "loadBalancerIP"), "spec.loadBalancerIP")
            yield Found(place, "loadBalancerIP is deprecated since 1.24")


RULES = (followed_by_nobody, asks_by_the_old_field)
