"""Rules about what cannot be understood: variables that are unknown or wrong, sources that are not all here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.rule import ERROR, NOTE, WARNING, Found, rule
from hachecks.ipfailover.settings import RANGE_CHECK, VARIABLES
from hachecks.ipfailover.variable import NEWEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject

CURE = re.compile("; |: (?=write )")
"""What stands between the weakness and its cure, in a refusal of one line."""
OFFSET, VIPS = "OPENSHIFT_HA_VRRP_ID_OFFSET", "OPENSHIFT_HA_VIRTUAL_IPS"


def is_known(variable: str) -> bool:
    """Whether it is a variable of somebody's."""
    return variable in VARIABLES or bool(RANGE_CHECK.fullmatch(variable))


@rule(
    "HA001",
    WARNING,
    "a variable that nobody reads",
    why="The stock image and hachecks read variables by their exact names. What is misspelt has no effect, and the "
    "default counts in its place, without a word in the log.",
    cure="write the name as it is documented, or leave it out",
    evidence="openshift/images, ipfailover/keepalived/conf/settings.sh, has all names that are read",
)
def unknown_variable(subject: Subject) -> Iterator[Found]:
    """Variables with a name that is in no table."""
    for one in subject.configurations:
        for no in one.refused:
            if not is_known(no.variable):
                what, _, meant = no.why.partition("; ")
                yield Found(no.place, what, meant)


@rule(
    "HA002",
    ERROR,
    "a value that is not what the variable takes",
    why="The stock image checks no value. It deletes what it does not expect, takes a default, or pastes the text "
    "into keepalived.conf, and the VIP that was meant is not served.",
    cure="write it as hacheck ipfailover plan --help shows it",
    evidence="openshift/images, ipfailover/keepalived/lib, checks no variable; tried for each kind of value",
)
def wrong_value(subject: Subject) -> Iterator[Found]:
    """Values that are refused."""
    for one in subject.configurations:
        for no in one.refused:
            if is_known(no.variable):
                what, *cure = CURE.split(no.why, maxsplit=1)
                refused = " is refused" if cure and f"{what}: " in no.why else ""
                yield Found(no.place, what + refused, "".join(cure))


@rule(
    "HA003",
    ERROR,
    "variables that contradict each other",
    why="Each value can be understood, and no plan comes of them: ids do not suffice, unicast has no peers, a node is "
    "no peer, or a VIP is asked for twice. The stock image goes on, and serves less than was asked for, or nothing.",
    cure="change one of the variables that it names; hacheck ipfailover plan says the same",
    evidence="hacheck ipfailover plan refuses it; Keepalived ends where an id is above 255",
)
def contradiction(subject: Subject) -> Iterator[Found]:
    """Configurations that are understood, and cannot be planned."""
    for one in subject.configurations:
        if one.unplanned and one.settings.virtual_ips.addresses and not (one.refused or one.partial):
            what, semicolon, cure = one.unplanned.partition("; ")
            yield Found(one.place, what, cure if semicolon else "")


@rule(
    "HA004",
    ERROR,
    "no VIP at all",
    why="Without a VIP the stock image writes a keepalived.conf without an instance. Keepalived stays, the liveness "
    "probe, which looks for its process, passes, and the pod is ready and serves nothing.",
    cure=f"set {VIPS}",
    evidence="tried: Keepalived warns that it has no configuration to run, and its process stays",
)
def no_vip(subject: Subject) -> Iterator[Found]:
    """Configurations that name no VIP, and follow no Services."""
    for one in subject.configurations:
        if not (one.settings.virtual_ips.addresses or one.follows or one.partial) and one.is_understood(VIPS):
            yield Found(one.where(VIPS), "it names no VIP")


@rule(
    "HA005",
    ERROR,
    "a source that cannot be read as Kubernetes would",
    why="A variable that stands twice, has no text for a value, or comes from what is not there makes the API server "
    "refuse the object, keeps the pod from starting, or counts otherwise than it reads.",
    cure="mend the object, or name the file that has what is missing as well",
    evidence="Kubernetes API: EnvVar, EnvFromSource; a missing ConfigMap is CreateContainerConfigError",
)
def unreadable_source(subject: Subject) -> Iterator[Found]:
    """What is wrong with the objects and env files that have the variables."""
    for one in subject.refused:
        what, semicolon, cure = one.why.partition("; ")
        yield Found(one.place, what, cure if semicolon else "")


@rule(
    "HA006",
    NOTE,
    "variables that are not known here",
    why="Variables of a Secret, or of objects that a pod has for a file, are not in what is given, so nothing can be "
    "said of them, and other findings may be wrong.",
    cure="put the variables into a ConfigMap, as an env file: none of them is secret",
    evidence="what is read is what is given",
)
def not_known_here(subject: Subject) -> Iterator[Found]:
    """Configurations with variables of a Secret."""
    for one in subject.configurations:
        yield from (Found(one.place, note[len(one.place) :].lstrip(": ")) for note in one.notes)


@rule(
    "HA007",
    WARNING,
    "ids that depend on the version of the image",
    why=f"{OFFSET} is not set, and its default went from 0 to 10 in 4.20. During an upgrade old pods and new ones have "
    "different virtual router ids for one VIP, do not hear each other, and both serve it.",
    cure=f"set {OFFSET} to what is in use now: 0 before 4.20, 10 since",
    evidence="openshift/images#206, OCPBUGS-48318",
)
def offset_by_version(subject: Subject) -> Iterator[Found]:
    """Configurations that leave the offset to the image."""
    for one in subject.configurations:
        if not one.text(OFFSET) and not one.partial and one.given and not one.run:
            taken = "10" if one.settings.stock >= (4, 20) else "0"
            known = f"{one.stock[0]}.{one.stock[1]}" if one.stock else f"{NEWEST}, which is assumed"
            yield Found(one.place, f"{OFFSET} is not set: ids begin after {taken} in {known}, and elsewhere not")


RULES = (unknown_variable, wrong_value, contradiction, no_vip, unreadable_source, not_known_here, offset_by_version)
