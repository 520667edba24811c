"""One `vrrp_instance`, its lines taken in turn as Keepalived takes them (vrrp_parser.c of 2.2.7)."""

from __future__ import annotations

import ipaddress
import re

from hachecks.keepalived.files import ENDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.keepalived.files import Findings
    from hachecks.keepalived.parser import Statement

NUMBER = re.compile(r"[ \t\f\n\r\v]*\+?([0-9]{1,10})", re.ASCII)
MAC = re.compile(r"(?:[0-9A-Fa-f]{1,2}:){4}[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{0,2})?")
RANDOM = "\N{REPLACEMENT CHARACTER}"
SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]*)?", re.ASCII)
LONGEST_DELAY = 1000.0
"""Seconds, as vrrp_parser.c limits preempt_delay; what is more is passed over."""
LONGEST_ADVERT = 255.0
"""Seconds between two adverts."""
DOWN_TIMER, LONGEST_DOWN_TIMER = 3, 100
"""Advert intervals without an advert after which a BACKUP takes over, where none are set, and at most."""
MAX_INTERFACE_NAME = 15
"""Characters of an interface's name (IFNAMSIZ)."""
OWNER, DEFAULT = 255, 100
"""Priorities: of an instance that is to begin as MASTER, and of others, where none is set."""
WITH_VALUE = ("dev", "scope", "broadcast", "brd", "label", "peer", "preferred_lft")
"""Words after an address that take a word."""


class Address:
    """An address of an instance as it is written: `device` is None where it names none."""

    def __init__(self, ip: ipaddress.IPv4Address | ipaddress.IPv6Address, prefixlen: int) -> None:
        self.ip = ip
        self.prefixlen = prefixlen
        self.device: str | None = None
        self.use_vmac = False

    @property
    def family(self) -> str:
        """As an instance has it."""
        return f"ipv{self.ip.version}"


class Draft:
    """What the lines of an instance say, before it is known what the other instances do."""

    def __init__(self, block: Statement, findings: Findings) -> None:
        self.block = block
        self.name = block.words[1]
        self.findings = findings
        self.interface = ""
        self.vrid: int | None = None
        self.priority: int | None = 0
        self.state = ""
        self.family = ""
        self.version = 0
        self.strict: bool | None = None
        self.vmac = self.ipvlan = self.vmac_addresses = False
        self.vmac_name = ""
        self.mac = ""
        self.peers: set[str] = set()
        self.fault_without_peers = False
        self.source = ""
        self.multicast_group = ""
        self.advertised: list[Address] = []
        self.excluded: list[Address] = []
        self.nopreempt = False
        self.preempt_delay = 0.0
        self.advert_interval = 1.0
        self.down_timer: int | None = None
        for one in block.nodes or ():
            take = self._TAKEN.get(one.words[0])
            if take:
                take(self, one)
        if not self.interface:
            self.vmac, self.ipvlan, self.vmac_name = False, False, ""

    def tell(self, one: Statement, what: str) -> None:
        """Tell a finding about a line of it."""
        self.findings.tell(one.place, f"{self.name}: {what}")

    def refuse(self, what: str, one: Statement | None = None) -> None:
        """Tell why Keepalived does not run with this."""
        where = (one or self.block).place
        self.findings.tell_first(where, f"{self.name}: {what}; {ENDS}")

    def word(self, one: Statement) -> str | None:
        """The word after a keyword that needs one."""
        if len(one.words) > 1:
            return one.words[1]
        self.refuse(f"{one.text} lacks its value", one)
        return None

    def fits(self, one: Statement, family: str, what: str) -> bool:
        """Whether something is of the family of the instance, which the first of all decides."""
        self.family = self.family or family
        if family == self.family:
            return True
        self.tell(one, f"{what} is passed over, since the instance is {self.family}; give it an instance of its own")
        return False

    def _take_interface(self, one: Statement) -> None:
        name = self.word(one)
        if name is not None and len(name) <= MAX_INTERFACE_NAME:
            self.interface = name
        elif name is not None:
            self.tell(one, f"{name} is longer than the name of an interface, and passed over")

    def _take_vrid(self, one: Statement) -> None:
        word = self.word(one)
        number = None if word is None else whole_number(word, 1, 255)
        if number is not None:
            self.vrid = number
        elif word is not None:
            self.tell(one, f"virtual_router_id {word} is none of 1 to 255, and passed over")

    def _take_priority(self, one: Statement) -> None:
        word = self.word(one)
        if word is None:
            return
        self.priority = None if RANDOM in word else whole_number(word, 1, OWNER)
        if self.priority is None and RANDOM not in word:
            self.priority = DEFAULT
            self.tell(one, f"priority {word} is none of 1 to 255; Keepalived takes {DEFAULT}")

    def _take_delay(self, one: Statement) -> None:
        word = self.word(one)
        if word is not None and SECONDS.fullmatch(word) and float(word) <= LONGEST_DELAY:
            self.preempt_delay = float(word)

    def _take_advert_interval(self, one: Statement) -> None:
        word = "".join(one.words[1:2])
        if SECONDS.fullmatch(word) and 0 < float(word) <= LONGEST_ADVERT:
            self.advert_interval = float(word)

    def _take_down_timer(self, one: Statement) -> None:
        number = whole_number("".join(one.words[1:2]), 1, LONGEST_DOWN_TIMER, with_more=True)
        self.down_timer = self.down_timer if number is None else number

    def _take_nopreempt(self, _: Statement) -> None:
        self.nopreempt = True

    def _take_preempt(self, _: Statement) -> None:
        self.nopreempt = False

    def _take_state(self, one: Statement) -> None:
        word = self.word(one)
        if word is not None and self.state != "MASTER":
            self.state = "MASTER" if word == "MASTER" else "BACKUP"
        if word not in (None, "MASTER", "BACKUP"):
            self.state = "BACKUP"
            self.tell(one, f"state {word} is none; Keepalived takes BACKUP")

    def _take_version(self, one: Statement) -> None:
        word = self.word(one)
        number = None if word is None else whole_number(word, 2, 3, with_more=True)
        if number and not (self.version and self.version != number) and not (number == 2 and self.family == "ipv6"):
            self.version = number

    def _take_native_ipv6(self, one: Statement) -> None:
        if self.family != "ipv4":
            self.family, self.version = "ipv6", 3
        else:
            self.tell(one, "native_ipv6 is passed over, since the instance is ipv4")

    def _take_strict(self, one: Statement) -> None:
        word = one.words[1] if len(one.words) > 1 else "true"
        if word in ("true", "on", "yes", "false", "off", "no"):
            self.strict = word in ("true", "on", "yes")

    def _take_source(self, one: Statement) -> None:
        word = self.word(one)
        ip = None if word is None else address_of(re.split("[-/]", word, maxsplit=1)[0])
        if ip and self.fits(one, f"ipv{ip.version}", str(word)):
            self.source = str(ip)

    def _take_multicast_group(self, one: Statement) -> None:
        word = self.word(one)
        ip = None if word is None else address_of(re.split("[-/]", word, maxsplit=1)[0])
        if ip and self.fits(one, f"ipv{ip.version}", str(word)) and ip.is_multicast:
            self.multicast_group = str(ip)

    def _take_peers(self, one: Statement) -> None:
        for peer in one.nodes or ():
            ip = address_of(re.split("[-/]", peer.words[0], maxsplit=1)[0])
            if ip is None:
                self.tell(peer, f"{peer.words[0][:80]} is no address of a peer, and passed over")
            elif self.fits(peer, f"ipv{ip.version}", f"the peer {ip}"):
                self.peers.add(str(ip))

    def _take_fault_without_peers(self, _: Statement) -> None:
        self.fault_without_peers = True

    def _take_vmac(self, one: Statement) -> None:
        self.vmac = True
        for word in one.words[1:3]:
            if ":" in word:
                self.mac = word.lower() if MAC.fullmatch(word) else self.mac
            else:
                self._take_vmac_name(one, word)

    def _take_vmac_name(self, one: Statement, name: str) -> None:
        if self.vmac_name:
            self.tell(one, f"{name} is passed over, since its interface is called {self.vmac_name} already")
        elif name in ("", ".", "..") or len(name) > MAX_INTERFACE_NAME or re.search(r"[/\s]", name):
            if name != "netlink_notify_msg":
                self.tell(one, f"{name} is no name of an interface; Keepalived makes one up")
        else:
            self.vmac_name = name

    def _take_vmac_addresses(self, _: Statement) -> None:
        self.vmac_addresses = True

    def _take_ipvlan(self, one: Statement) -> None:
        if self.ipvlan:
            return
        self.ipvlan = True
        for word in one.words[1:]:
            ip = address_of(word.partition("/")[0])
            if ip:
                self.source = str(ip) if self.fits(one, f"ipv{ip.version}", word) else self.source
            elif word not in ("bridge", "private", "vepa"):
                self._take_vmac_name(one, word)

    def _take_advertised(self, one: Statement) -> None:
        for entry in one.nodes or ():
            address = self._address(entry)
            if address and self.fits(entry, address.family, str(address.ip)):
                self.advertised.append(address)

    def _take_excluded(self, one: Statement) -> None:
        self.excluded += filter(None, map(self._address, one.nodes or ()))

    def _address(self, entry: Statement) -> Address | None:
        """The address that a line names; None, and a finding, where Keepalived passes over it."""
        text, slash, length = entry.words[0].partition("/")
        ip = address_of(text)
        if ip is None:
            self.tell(entry, f"{entry.words[0][:80]} is no address, and passed over")
            return None
        prefixlen: int = ip.max_prefixlen
        if slash:
            number = whole_number(length or "0", 0, prefixlen, with_more=True)
            if whole_number(length, 0, prefixlen) is None:
                taken = f"/{prefixlen if number is None else number}"
                self.tell(entry, f"{entry.words[0][:80]} has no prefix length that there is; Keepalived takes {taken}")
            prefixlen = prefixlen if number is None else number
        address = Address(ip, prefixlen)
        why = _options(address, entry.words)
        if why:
            self.tell(entry, f"{ip} is passed over: {why}")
        return None if why else address

    _TAKEN: dict[str, Callable[[Draft, Statement], None]] = {  # noqa: RUF012 - it is only read
        "interface": _take_interface,
        "virtual_router_id": _take_vrid,
        "priority": _take_priority,
        "state": _take_state,
        "preempt_delay": _take_delay,
        "advert_int": _take_advert_interval,
        "down_timer_adverts": _take_down_timer,
        "nopreempt": _take_nopreempt,
        "preempt": _take_preempt,
        "version": _take_version,
        "native_ipv6": _take_native_ipv6,
        "strict_mode": _take_strict,
        "mcast_src_ip": _take_source,
        "unicast_src_ip": _take_source,
        "mcast_dst_ip": _take_multicast_group,
        "unicast_peer": _take_peers,
        "unicast_fault_no_peer": _take_fault_without_peers,
        "use_vmac": _take_vmac,
        "use_vmac_addr": _take_vmac_addresses,
        "use_ipvlan": _take_ipvlan,
        "virtual_ipaddress": _take_advertised,
        "virtual_ipaddress_excluded": _take_excluded,
    }


def _options(address: Address, words: list[str]) -> str:
    """Take in what stands after an address; returns why Keepalived passes over the address."""
    rest = iter(words[1:])
    peer = False
    for word in rest:
        value = next(rest, None) if word in WITH_VALUE else ""
        if value is None:
            return f"{word} lacks its value"
        if word == "use_vmac":
            address.use_vmac = True
        elif word == "dev":
            if address.device is not None:
                return "it has two devices"
            address.device = value
        elif word in ("broadcast", "brd"):
            broadcast = None if value in ("+", "-") else address_of(value)
            if address.ip.version == 6 or (value not in ("+", "-") and (not broadcast or broadcast.version == 6)):
                return f"{word} {value} cannot be"
        elif word == "label" and len(value) > MAX_INTERFACE_NAME:
            return f"its label {value[:80]} is longer than {MAX_INTERFACE_NAME} characters"
        elif word == "peer" and not peer:
            other = address_of(value)
            if other and other.version == address.ip.version:
                address.prefixlen, peer = other.max_prefixlen, True
    return ""


def address_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a text is, as inet_pton(3) reads it."""
    if "%" in text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def whole_number(text: str, least: int, most: int, with_more: bool = False) -> int | None:
    """The number that a text is, or begins with; None where that is none of those allowed."""
    match = NUMBER.match(text)
    if not match or (match.end() < len(text) and not with_more):
        return None
    return int(match[1]) if least <= int(match[1]) <= most else None
