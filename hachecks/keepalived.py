"""What does Keepalived's configuration say?"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from hachecks.keepalived_parser import Parser, Statement, split_command, words_of
from hachecks.keepalived_parser import Unreadable as Unreadable  # noqa: PLC0414 - what its readers catch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ADDRESS_BLOCKS = ("virtual_ipaddress", "virtual_ipaddress_excluded")
DEFAULT_PRIORITY = "100"
SECONDS = re.compile(r"\d+(\.\d*)?|\.\d+", re.ASCII)


class VirtualAddress(NamedTuple):
    """A VIP: its address in canonical form, and the interface that it is to be on."""

    address: str
    prefixlen: int
    interface: str
    excluded: bool


class VrrpInstance(NamedTuple):
    """A `vrrp_instance`; None stands for what is no valid number.

    `scripts` are those that it tracks, its sync groups' included. `family` is `ipv4` or `ipv6`, and empty where no
    configuration tells.
    """

    name: str
    interface: str
    vrid: int | None
    priority: int | None
    unicast: bool
    addresses: tuple[VirtualAddress, ...]
    scripts: tuple[str, ...]
    family: str = ""


class VrrpScript(NamedTuple):
    """A `vrrp_script`; times are seconds, and None stands for what is not set, or is no number."""

    name: str
    command: str
    interval: float | None
    timeout: float | None
    rise: int | None
    fall: int | None


class Configuration(NamedTuple):
    """What Keepalived makes of what is written.

    `files` are all that it was read from, and the directories that its includes look into. `findings` are sentences
    about what is written otherwise than it counts, or cannot be judged, each with its file and line where these are
    known: the rest is served none the less.
    """

    instances: tuple[VrrpInstance, ...]
    scripts: tuple[VrrpScript, ...]
    groups: Mapping[str, tuple[str, ...]]
    files: tuple[str, ...]
    findings: tuple[str, ...] = ()


def read_configuration(path: str, config_id: str = "") -> Configuration:
    """The configuration in a file and its includes; raises `Unreadable`.

    `config_id`, Keepalived's `-i`, is what the conditions in it ask for; by default the host's name.
    """
    parser = Parser(config_id, strict=True)
    try:
        parser.read_file(path, parser.root)
        if not parser.root.nodes:
            raise Unreadable(f"{path} line 1: it says nothing; is it half-written?")
    except Unreadable as error:
        error.files = tuple(parser.files)
        raise
    return _configuration(parser)


def vips_of(configuration: str) -> dict[str, list[str]]:
    """The VIPs of each `vrrp_instance` in the text of a keepalived.conf, as addresses without prefix length.

    A half-written text gives what it says so far; what it includes is not read.
    """
    parser = Parser("", strict=False)
    parser.read(configuration, "", parser.root)
    found: dict[str, list[str]] = {}
    for name, block in _blocks(parser.root, "vrrp_instance"):
        for words in (words for keyword in ADDRESS_BLOCKS for words in block.entries(keyword)):
            found.setdefault(name, []).append(words[0].partition("/")[0])
    return found


def family_of(addresses: Sequence[VirtualAddress]) -> str:
    """The family of an instance: that of the first address it advertises; IPv4 if it advertises none."""
    first = next((one.address for one in addresses if not one.excluded), "")
    return "ipv6" if ":" in first else "ipv4"


def hacheck_command(command: str) -> tuple[str, ...]:
    """The words after `hacheck` in a script's command line; none where it runs something else."""
    words = split_command(command)
    for index, word in enumerate(words):
        if word.rpartition("/")[2] == "hacheck":
            return tuple(words[index + 1 :])
    return ()


class _Block:
    """What a block says, by the first words of its lines and blocks; the last line counts, as with Keepalived."""

    def __init__(self, block: Statement) -> None:
        self.lines: dict[str, list[str]] = {}
        self.blocks: dict[str, list[Statement]] = {}
        self.command = ""
        for one in block.nodes or ():
            keyword, *words = words_of(one.text)
            if one.nodes is not None:
                self.blocks.setdefault(keyword, []).append(one)
            else:
                self.lines[keyword] = words
                if keyword == "script":
                    self.command = "".join(split_command(one.text)[1:2])

    def first(self, keyword: str, default: str = "") -> str:
        """The word after a keyword."""
        words = self.lines.get(keyword)
        return words[0] if words else default

    def entries(self, keyword: str) -> list[list[str]]:
        """The words of each line in the blocks of this kind."""
        blocks = self.blocks.get(keyword, ())
        return [words_of(entry.text) for block in blocks for entry in block.nodes or ()]


def _blocks(root: Statement, kind: str) -> Iterator[tuple[str, _Block]]:
    """The blocks of a kind, with their names: Keepalived wants one word."""
    for one in root.nodes or ():
        if one.nodes is not None and one.text.startswith(kind):
            words = words_of(one.text)
            if len(words) == 2 and words[0] == kind:
                yield words[1], _Block(one)


def _configuration(parser: Parser) -> Configuration:
    """What the statements mean. Of those with the same name the first counts, as with Keepalived."""
    groups: dict[str, tuple[str, ...]] = {}
    shared: dict[str, list[str]] = {}
    for name, block in _blocks(parser.root, "vrrp_sync_group"):
        groups.setdefault(name, tuple(word for words in block.entries("group") for word in words))
        for member in groups[name]:
            shared.setdefault(member, []).extend(words[0] for words in block.entries("track_script"))
    scripts: dict[str, VrrpScript] = {}
    for name, block in _blocks(parser.root, "vrrp_script"):
        scripts.setdefault(name, _script(name, block))
    instances: dict[str, VrrpInstance] = {}
    for name, block in _blocks(parser.root, "vrrp_instance"):
        instances.setdefault(name, _instance(name, block, shared.get(name, [])))
    files, findings = tuple(parser.files), tuple(parser.missing)
    return Configuration(tuple(instances.values()), tuple(scripts.values()), groups, files, findings)


def _script(name: str, block: _Block) -> VrrpScript:
    interval, timeout = _seconds(block.first("interval")), _seconds(block.first("timeout"))
    return VrrpScript(
        name, block.command, interval, timeout, _integer(block.first("rise")), _integer(block.first("fall"))
    )


def _instance(name: str, block: _Block, shared: list[str]) -> VrrpInstance:
    interface, vrid = block.first("interface"), _integer(block.first("virtual_router_id"), 1, 255)
    carrier = interface
    if "use_vmac" in block.lines:
        # The interface's name, an address, or a flag; Keepalived makes up the name where there is none.
        word = block.first("use_vmac")
        carrier = word if word and ":" not in word and word != "netlink_notify_msg" else f"vrrp.{vrid}"
    addresses = tuple(_addresses(block, carrier))
    return VrrpInstance(
        name,
        interface,
        vrid,
        priority=_integer(block.first("priority", DEFAULT_PRIORITY), 1, 255),
        unicast=bool(block.entries("unicast_peer")) or "unicast_fault_no_peer" in block.lines,
        addresses=addresses,
        scripts=tuple(dict.fromkeys([*(words[0] for words in block.entries("track_script")), *shared])),
        family=family_of(addresses),
    )


def _addresses(block: _Block, interface: str) -> Iterator[VirtualAddress]:
    """The addresses of an instance, each once; what is none is left out, as Keepalived does."""
    known = set()
    for keyword in ADDRESS_BLOCKS:
        for words in block.entries(keyword):
            text, _, length = words[0].partition("/")
            try:
                address = ipaddress.ip_address(text.partition("%")[0])
            except ValueError:
                continue
            if address not in known:
                known.add(address)
                longest = address.max_prefixlen
                prefixlen = _integer(length, 0, longest)
                device = words[words.index("dev") + 1 :][:1] if "dev" in words else []
                yield VirtualAddress(
                    str(address),
                    longest if prefixlen is None else prefixlen,
                    device[0] if device else interface,
                    keyword != "virtual_ipaddress",
                )


def _integer(text: str, least: int = 1, most: int = 2**31 - 1) -> int | None:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else None
    return number if number is not None and least <= number <= most else None


def _seconds(text: str) -> float | None:
    return float(text) if SECONDS.fullmatch(text) else None
