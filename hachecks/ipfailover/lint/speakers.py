"""Speakers: every VRRP instance of everything that is given, however it is written, as others on the wire hear it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.keepalived.instance import address_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Configuration, Subject
    from hachecks.ipfailover.lint.written import Instance
    from hachecks.ipfailover.variable import Place


class Speaker(NamedTuple):
    """An instance: whose it is, where that is written, and what others hear.

    `owner` is the name of its configuration, or the file that it is in, and `instance` what is written of it there.
    """

    owner: str
    place: Place
    id: int
    interface: str
    family: str
    unicast: bool
    version: int
    vips: tuple[str, ...]
    instance: Instance | None = None

    def hears(self, other: Speaker) -> bool:
        """Whether the other's adverts come to it: on one interface, so far as these are known, in the same way."""
        one = self.interface == other.interface or not (self.interface and other.interface)
        return one and (self.family, self.unicast) == (other.family, other.unicast)

    @property
    def is_written(self) -> bool:
        """Whether a keepalived.conf has it."""
        return self.instance is not None


def family(vip: str) -> str:
    """The family of an address."""
    return "ipv6" if ":" in vip else "ipv4"


def of_configuration(one: Configuration) -> Iterator[Speaker]:
    """The instances that a configuration is planned with."""
    plan = one.plan
    for instance in plan.instances if plan else ():
        yield Speaker(
            one.settings.config_name,
            one.where("OPENSHIFT_HA_VIRTUAL_IPS"),
            instance.id,
            one.settings.interface,
            family(instance.vips[0]),
            bool(one.settings.unicast_peers),
            3 if family(instance.vips[0]) == "ipv6" else one.settings.vrrp_version,
            instance.vips,
        )


def speakers(subject: Subject) -> list[Speaker]:
    """All of them, in the order in which they are given."""
    found = [speaker for one in subject.configurations for speaker in of_configuration(one)]
    for conf in subject.confs:
        for one in conf.instances():
            read = one.read
            if read.vrid is not None and read.addresses:
                vips = tuple(vip.address for vip in read.addresses)
                heard = read.vrid, read.interface, read.family, read.unicast, one.version
                found.append(Speaker(conf.name, one.place(), *heard, vips, one))
    return found


def members(one: Instance) -> frozenset[str]:
    """The addresses of an instance's nodes: its peers' and its own."""
    known = (address_of(text) for text in (*one.peers, one.value("unicast_src_ip")))
    return frozenset(str(address) for address in known if address)
