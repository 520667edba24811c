"""Rules about texts that the stock image pastes into keepalived.conf as they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.rule import ERROR, WARNING, Found, rule
from hachecks.ipfailover.lint.stock_image import configurations, found, image, simulated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Configuration, Subject

NAME, PORT = "OPENSHIFT_HA_CONFIG_NAME", "OPENSHIFT_HA_MONITOR_PORT"
CHECK, PREEMPTION = "OPENSHIFT_HA_CHECK_SCRIPT", "OPENSHIFT_HA_PREEMPTION"
WORDS = re.compile("[A-Za-z0-9_. ]*", re.ASCII)
"""A line of keepalived.conf that is no more than that."""
PASTED = (
    NAME,
    "OPENSHIFT_HA_NETWORK_INTERFACE",
    CHECK,
    "OPENSHIFT_HA_CHECK_INTERVAL",
    "OPENSHIFT_HA_NOTIFY_SCRIPT",
    PREEMPTION,
    "OPENSHIFT_HA_UNICAST_PEERS",
    "UNICAST_SOURCE_IPADDRESS",
    "MULTICAST_SOURCE_IPADDRESS",
    "OPENSHIFT_HA_ADMIN_EMAILS",
    "OPENSHIFT_HA_SMTP_SERVER",
)
LONGEST_PASSWORD = 8
"""Characters of auth_pass; Keepalived cuts the rest off, with a complaint."""


@rule(
    "HA030",
    ERROR,
    "text that is pasted into keepalived.conf as it is",
    why="The stock image pastes names, commands, addresses and words into keepalived.conf without a look at them. A "
    "blank, a brace, a quote or a line end in one makes other lines of it: a command that ends early, an instance "
    "without a name, or a file with which Keepalived ends and all VIPs are lost.",
    cure="write what the variable takes, without quotes, braces and line ends",
    evidence="openshift/images, ipfailover/keepalived/lib/config-generators.sh; tried with Keepalived",
)
def pasted(subject: Subject) -> Iterator[Found]:
    """Texts that are not what the variable takes, and end up in the file."""
    for one in configurations(subject):
        for variable in PASTED:
            # What comes of mere words on preemption is said by HA046.
            if not one.is_understood(variable) and not (variable == PREEMPTION and WORDS.fullmatch(one.text(variable))):
                yield found(one, variable, f"{image(one)} pastes it into keepalived.conf; {_then(one)}")


def _then(one: Configuration) -> str:
    result = simulated(one)
    told = result.ends or next(iter(result.findings), "")
    # The place is a line of a file that nobody has.
    return re.sub("^keepalived.conf(?: line [0-9]+)?: ", "", told) or "nobody looks at what comes of it"


@rule(
    "HA031",
    ERROR,
    "a configuration with which Keepalived ends",
    why="The stock image writes keepalived.conf and starts Keepalived without a test. Keepalived ends with what it "
    "cannot do without, such as an interface, and the pod ends with it, exit status 0, and is started again.",
    cure="mend what it names",
    evidence="tried with Keepalived",
)
def ends(subject: Subject) -> Iterator[Found]:
    """Configurations with which Keepalived ends, for another reason than an id."""
    for one in configurations(subject):
        result = simulated(one)
        if result.ends and all(1 <= instance.id <= 255 for instance in result.instances):
            variable = next((name for name in PASTED if not one.is_understood(name)), NAME)
            yield found(one, variable, f"{image(one)}: {_then(one)}")


@rule(
    "HA032",
    WARNING,
    "a password that is the name, cut at eight characters",
    why="The stock image takes the configuration's name for the password of VRRP. Keepalived cuts it at eight, so "
    "that ipf-ha-router and ipf-ha-rabbit have one password, and it goes over the wire in clear. It keeps no one out.",
    cure="take names that differ in their first eight characters, and do not take it for protection",
    evidence="openshift/images, ipfailover/keepalived/lib/config-generators.sh; Keepalived's vrrp_parser.c",
)
def password(subject: Subject) -> Iterator[Found]:
    """Names that are longer than a password."""
    for one in configurations(subject, told=True):
        name = one.text(NAME)
        if len(name) > LONGEST_PASSWORD and one.is_understood(NAME):
            what = f"{image(one)} has the password {simulated(one).password!r} of this name"
            yield found(one, NAME, what)


@rule(
    "HA033",
    ERROR,
    "a port of which the stock image takes the digits alone",
    why="It deletes everything else: tcp/8080 is 8080, -1 is 1, and a name is the default, 80. Above 65535 there is "
    "no port, so that the check fails on every node and no VIP is served at all.",
    cure="write the number of the port, or 0 for no check",
    evidence="openshift/images, ipfailover/keepalived/lib/config-generators.sh; tried with the generator itself",
)
def port(subject: Subject) -> Iterator[Found]:
    """Ports that are no number of a port."""
    for one in configurations(subject):
        if not one.is_understood(PORT) and not one.text(CHECK):
            yield found(one, PORT, f"{image(one)} makes this check of it: {simulated(one).check}")


RULES = (pasted, ends, password, port)
