"""Rules about ids and groups as the stock image counts them, in the arithmetic of bash."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

from hachecks.ipfailover.ids import LARGEST_ID
from hachecks.ipfailover.lint.rule import ERROR, WARNING, Found, rule
from hachecks.ipfailover.lint.stock_image import configurations, found, image, simulated
from hachecks.keepalived import openshift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Configuration, Subject
    from hachecks.ipfailover.stock.simulation import Simulation

OFFSET, GROUPS = "OPENSHIFT_HA_VRRP_ID_OFFSET", "OPENSHIFT_HA_VIP_GROUPS"
REPLICAS, EXCLUDED = "OPENSHIFT_HA_REPLICA_COUNT", "HA_EXCLUDED_VRRP_IDS"
PLAIN = re.compile("0|[1-9][0-9]*", re.ASCII)
"""A number as people and bash read it alike."""


@rule(
    "HA020",
    ERROR,
    "an id that there is not, with which Keepalived ends",
    why="The stock image counts ids on from the offset and does not look where that ends. At an id above 255, or "
    "below 1, Keepalived ends, so that not one VIP is lost but all, on every node at once.",
    cure="set OPENSHIFT_HA_VIP_GROUPS or a lower OPENSHIFT_HA_VRRP_ID_OFFSET",
    evidence="tried: 254 VIPs with the default offset 10 of 4.20, and Keepalived says permanent error CONFIG",
)
def ids(subject: Subject) -> Iterator[Found]:
    """Configurations with an instance whose id is none."""
    for one in configurations(subject):
        result = simulated(one)
        if not all(1 <= instance.id <= LARGEST_ID for instance in result.instances):
            first, last = result.instances[0].id, result.instances[-1].id
            what = (
                f"{image(one)} gives {len(result.instances)} instances the ids {first} to {last}; Keepalived ends at "
                f"the first that is not 1 to {LARGEST_ID}, and no VIP is served"
            )
            yield found(one, OFFSET if one.text(OFFSET) else GROUPS, what, _room(one, result))


def _room(one: Configuration, result: Simulation) -> str:
    offset = result.numbers[OFFSET].value
    if offset is None or not 0 <= offset < LARGEST_ID:
        return f"set {OFFSET} to 0 to {LARGEST_ID - 1}"
    excluded = one.text(EXCLUDED) if one.settings.stock >= (4, 11) else ""
    room = len(list(takewhile(lambda vrid: vrid <= LARGEST_ID, openshift.ids(offset, excluded))))
    return f"set {GROUPS} to {room} or less" + (f", or a lower {OFFSET}" if offset else "")


@rule(
    "HA021",
    ERROR,
    "a number that bash reads otherwise, or runs",
    why="The stock image reckons with these variables in the arithmetic of bash: 010 is eight, 08 an error, a word "
    "the value of the variable of that name, 2+3 is five, and a command in the index of an array is run, as root in a "
    "privileged pod. An error in the offset ends the generator before the first instance, and Keepalived runs without.",
    cure="write a whole number without a zero in front",
    evidence="openshift/images, ipfailover/keepalived/lib/config-generators.sh; tried with bash 5.2",
)
def numbers(subject: Subject) -> Iterator[Found]:
    """Numbers that are not written as both people and bash read them."""
    for one in configurations(subject):
        for variable, number in simulated(one).numbers.items():
            text = one.text(variable)
            if not text or (PLAIN.fullmatch(text) and str(number.value) == text and one.is_understood(variable)):
                continue
            if number.runs:
                taken = "runs the command that is in it"
            elif number.error:
                taken = f"cannot reckon with it, and {WITHOUT[variable]}"
            elif number.value is None:
                taken = "works out what it comes to"
            elif variable != OFFSET and number.value < 1:
                taken = f"takes {number.value}, and {WITHOUT[variable]}"
            else:
                taken = f"takes it for {number.value}"
            yield found(one, variable, f"{text!r}: {image(one)} {taken}")


WITHOUT = {
    OFFSET: "writes no instance: Keepalived runs, and serves no VIP",
    GROUPS: "gives each VIP an instance of its own",
    REPLICAS: "counts one node",
}
"""What the stock image does without a number."""


@rule(
    "HA022",
    WARNING,
    "excluded ids that the stock image does not exclude",
    why="It knows HA_EXCLUDED_VRRP_IDS since 4.11, takes blanks alone for separators, and compares texts: 9,11 is no "
    "id, and neither is 09. What is not excluded is used, beside whoever has that id on this network.",
    cure="part ids by blanks, write them without a zero in front, or use another offset before 4.11",
    evidence="openshift/images#104; openshift/images, ipfailover/keepalived/lib/config-generators.sh",
)
def excluded(subject: Subject) -> Iterator[Found]:
    """Ids that are named as excluded, and are not."""
    for one in configurations(subject):
        words = re.split("[ \t\n]+", one.text(EXCLUDED)) if one.settings.stock >= (4, 11) else []
        named = [word for word in re.split(r"[^0-9]+", one.text(EXCLUDED)) if word]
        missed = [word for word in named if str(int(word[:9])) not in words]
        if missed or (one.text(EXCLUDED) and not one.is_understood(EXCLUDED)):
            which = ", ".join(missed[:9]) or "nothing"
            why = "" if one.settings.stock >= (4, 11) else ", which is known since 4.11"
            yield found(one, EXCLUDED, f"{image(one)} does not exclude {which}{why}")


RULES = (ids, numbers, excluded)
