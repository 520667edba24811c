"""What the instances of one virtual router must have alike on all nodes, as a fingerprint that nodes can compare."""

from __future__ import annotations

from hachecks.keepalived.instance import whole_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hachecks.keepalived.configuration import VrrpInstance
    from hachecks.keepalived.parser import Statement

CENTISECONDS = 100
"""What VRRP 3 counts intervals in (RFC 5798, 5.2.7)."""


def fingerprints(
    instances: Iterable[VrrpInstance], statements: Iterable[Statement] = (), defaults: Mapping[str, Sequence[str]] = {}
) -> dict[str, str]:
    """A fingerprint for each virtual router: of its VIPs, VRRP's version, the interval of adverts and authentication.

    Not of what may differ: names, interfaces, priorities, states and peers. `statements` are those that the instances
    were read from, and `defaults` the words after each keyword of global_defs.

    Of a password no more than one hexadecimal digit goes into it, the same for all routers: others see a difference in
    15 of 16 cases, and learn nothing that helps them to guess.
    """
    import zlib

    blocks = {one.words[1]: one for one in statements if one.words[0] == "vrrp_instance" and len(one.words) > 1}
    found: dict[str, list[str]] = {}
    for one in instances:
        if one.vrid is not None:
            said = repr((_addresses(one), one.unicast, *_written(blocks.get(one.name), one.family, defaults)))
            found.setdefault(f"virtual_router_id {one.vrid} ({one.family or 'ipv4'})", []).append(said)
    return {router: f"{zlib.crc32(repr(sorted(said)).encode()):08x}" for router, said in found.items()}


def _addresses(instance: VrrpInstance) -> list[tuple[str, bool]]:
    return sorted((vip.address, vip.excluded) for vip in instance.addresses)


def _written(block: Statement | None, family: str, defaults: Mapping[str, Sequence[str]]) -> tuple[object, ...]:
    """VRRP's version, the interval in hundredths of a second, the kind of authentication, and a trace of its secret."""
    if block is None:
        return ()
    lines = {one.words[0]: one for one in block.nodes or ()}
    default = "".join(defaults.get("vrrp_version", ())[:1])
    version = 3 if family == "ipv6" else whole_number(_word(lines.get("version")) or default, 2, 3) or 2
    try:
        interval: object = round(float(_word(lines.get("advert_int")) or 1) * CENTISECONDS)
    except (ValueError, OverflowError):
        interval = None
    secrets = [lines[name] for name in ("authentication", "auth_hmac") if name in lines]
    within = {each.words[0]: each for one in secrets for each in one.nodes or ()}
    kinds = sorted((name, _word(line)) for name, line in within.items() if name == "auth_type")
    words = [word for name, line in sorted(within.items()) if name != "auth_type" for word in line.words]
    return version, interval, [one.words[0] for one in secrets], kinds, _trace(words)


def _word(line: Statement | None) -> str:
    return "".join(line.words[1:2]) if line else ""


def _trace(words: Sequence[str]) -> str:
    """One hexadecimal digit of what is secret."""
    from hashlib import sha256

    return sha256("\0".join(words).encode("utf-8", "replace")).hexdigest()[:1] if words else ""
