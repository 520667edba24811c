"""Rules about the instances of a keepalived.conf that somebody wrote by hand, or a generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.rule import ERROR, NOTE, WARNING, Found, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject
    from hachecks.ipfailover.lint.written import Instance
    from hachecks.keepalived.parser import Statement

TRIED = "keepalived --config-test of 2.2.7 says so"


def instances(subject: Subject) -> Iterator[Instance]:
    """Every instance of every keepalived.conf."""
    return (instance for conf in subject.confs for instance in conf.instances())


@rule(
    "HA201",
    ERROR,
    "Keepalived ends, or serves no instance",
    why="Keepalived does not run with this line: it ends at its start, or finds no instance, and every VIP of the "
    "node is lost, not only this one.",
    cure="mend the line, and try the file with keepalived --config-test",
    evidence="Keepalived's own reader, vrrp_parser.c and vrrp.c of 2.2.7, is followed line by line",
)
def ends(subject: Subject) -> Iterator[Found]:
    """What the parser tells before all else."""
    for conf in subject.confs:
        yield from (Found(conf.at(one.place), one.what) for one in conf.written.told if one.is_first)


@rule(
    "HA202",
    WARNING,
    "a line that counts otherwise than it is written",
    why="Keepalived passes over what it does not understand, or takes something else for it, and goes on. What was "
    "meant has no effect.",
    cure="write the line as Keepalived reads it, and try the file with keepalived --config-test",
    evidence="Keepalived's own reader, vrrp_parser.c and vrrp.c of 2.2.7, is followed line by line",
)
def counts_otherwise(subject: Subject) -> Iterator[Found]:
    """All else that the parser tells."""
    for conf in subject.confs:
        yield from (Found(conf.at(one.place), one.what) for one in conf.written.told if not one.is_first)


@rule(
    "HA204",
    WARNING,
    "vrrp_strict",
    why="Strict mode refuses unicast peers, authentication and preempt_delay, and has the firewall drop what is sent "
    "to the VIP, so that it is there and answers nobody.",
    cure="leave out vrrp_strict and strict_mode",
    evidence="acassen/keepalived#474 and #1373; " + TRIED,
)
def strict(subject: Subject) -> Iterator[Found]:
    """Strictness, of all instances or one."""
    for conf in subject.confs:
        place = conf.default("vrrp_strict")
        if place:
            yield Found(place, "vrrp_strict keeps VIPs from answering")
    for one in instances(subject):
        line = one.line("strict_mode")
        if line and one.is_strict:
            yield Found(one.place(line), "strict_mode keeps its VIPs from answering")


@rule(
    "HA206",
    WARNING,
    "a password that is cut",
    why="VRRP 2 has room for 8 characters of a password. Keepalived cuts the rest off and complains, so that two "
    "passwords that begin alike are one, and keepalived --config-test fails.",
    cure="write 8 characters or fewer; they are sent in the clear, and keep out mistakes, not attackers",
    evidence=TRIED,
)
def long_password(subject: Subject) -> Iterator[Found]:
    """Passwords of more than 8 characters."""
    for one in instances(subject):
        line = authentication(one, "auth_pass")
        if line and len("".join(line.words[1:2]).encode()) > 8 and one.version == 2:
            yield Found(one.place(line), "auth_pass is longer than 8 characters, and cut")


@rule(
    "HA207",
    WARNING,
    "authentication where VRRP has none",
    why="VRRP 3, and so every IPv6 instance, knows no authentication: Keepalived ignores the block and complains, so "
    "that nothing is protected, and keepalived --config-test fails.",
    cure="leave the block out; from Keepalived 2.4 auth_hmac protects adverts",
    evidence="RFC 5798, section 9; " + TRIED,
)
def authentication_ignored(subject: Subject) -> Iterator[Found]:
    """Instances of VRRP 3 with a password."""
    for one in instances(subject):
        line = one.line("authentication")
        if line and one.version == 3:
            yield Found(one.place(line), "VRRP 3 has no authentication, and the block is ignored")


@rule(
    "HA208",
    NOTE,
    "a VIP without prefix length",
    why="Keepalived takes /32, or /128, where nothing is written. That is right for a VIP on an interface that has "
    "the subnet, and wrong where the VIP is the only address of its subnet on the node.",
    cure="write /32 or /128, or the subnet's length, whichever is meant",
    evidence="keepalived.conf(5), virtual_ipaddress",
)
def no_prefix(subject: Subject) -> Iterator[Found]:
    """Addresses without a slash."""
    for one in instances(subject):
        for keyword in ("virtual_ipaddress", "virtual_ipaddress_excluded"):
            block = one.line(keyword)
            for entry in (block.nodes or ()) if block else ():
                if "/" not in entry.words[0]:
                    yield Found(one.place(entry), f"{entry.words[0]} has no prefix length")


@rule(
    "HA209",
    NOTE,
    "several VIPs in the advert of one instance",
    why="An advert lists the VIPs, and a backup drops one whose list is not its own, and becomes master. So a VIP "
    "that is added or removed node by node makes two masters until the last node has it, for all VIPs of the instance.",
    cure="give each VIP an instance of its own, or keep one in virtual_ipaddress and the others in "
    "virtual_ipaddress_excluded, which may differ",
    evidence="acassen/keepalived#1603",
)
def advertised_group(subject: Subject) -> Iterator[Found]:
    """Instances that advertise more than one VIP."""
    for one in instances(subject):
        advertised = sum(not vip.excluded for vip in one.read.addresses)
        if advertised > 1:
            yield Found(one.place(one.line("virtual_ipaddress")), f"its adverts list {advertised} VIPs")


@rule(
    "HA210",
    NOTE,
    "track_src_ip",
    why="Where the source address goes from the interface for a moment, as at a renewal by DHCP, the instance is in "
    "FAULT and its VIPs move.",
    cure="leave out track_src_ip",
    evidence="keepalived.conf(5), track_src_ip",
)
def tracked_source(subject: Subject) -> Iterator[Found]:
    """Instances that track their source address."""
    for one in instances(subject):
        line = one.line("track_src_ip")
        if line:
            yield Found(one.place(line), "it is in FAULT whenever its source address is not there")


def authentication(one: Instance, keyword: str) -> Statement | None:
    """A line of the block of authentication."""
    block = one.line("authentication")
    return next((line for line in (block.nodes or () if block else ()) if line.words[0] == keyword), None)


RULES = (
    ends,
    counts_otherwise,
    strict,
    long_password,
    authentication_ignored,
    no_prefix,
    advertised_group,
    tracked_source,
)
