"""The packets of a segment are read as they are, and none that is cut off, false or made up does any harm."""

from __future__ import annotations

import random
import socket
import struct

import pytest

from hachecks.wire import frames
from hachecks.wire.frames import Advert, Answer, read
from tests.fuzz.seeds import FRAMES

MAC = bytes.fromhex("020000000001")
PROTOCOLS = (frames.ETH_P_ARP, frames.ETH_P_IP, frames.ETH_P_IP, frames.ETH_P_IPV6, frames.ETH_P_IPV6)


def ipv4(payload: bytes, *, limit: int = 255, to: str = "224.0.0.18", fragment: int = 0) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 7, fragment, limit, 112, 0)
    return head + socket.inet_aton("10.0.0.1") + socket.inet_aton(to) + payload


def version_2(*addresses: str, count: int | None = None, password: bytes = b"") -> bytes:
    given = len(addresses) if count is None else count
    head = struct.pack("!BBBBBBH", 0x21, 51, 100, given, 1 if password else 0, 1, 0)
    return head + b"".join(map(socket.inet_aton, addresses)) + password


def test_an_advert_of_version_2_says_who_has_what() -> None:
    said = read(frames.ETH_P_IP, ipv4(version_2("10.0.0.9", "10.0.0.10", password=b"secret\0\0")), "eth0", MAC)
    assert said == Advert(
        *("eth0", "02:00:00:00:00:01", "10.0.0.1", "224.0.0.18", "ipv4", 2, 51, 100),
        *(("10.0.0.9", "10.0.0.10"), 1.0, 1, b"secret"),
    )
    assert said.is_multicast


def test_the_interval_of_version_3_is_in_hundredths_and_its_upper_bits_are_not_of_it() -> None:
    said = read(frames.ETH_P_IP, ipv4(b"\x31\x07\x64\x01\xf0\x0a\0\0\x0a\0\0\x09", to="10.0.0.2"), "eth0", MAC)
    assert isinstance(said, Advert)
    assert (said.version, said.advert_interval, said.auth_type, said.is_multicast) == (3, 0.1, 0, False)


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(ipv4(version_2("10.0.0.9", count=2)), id="more-addresses-than-there-are"),
        pytest.param(ipv4(version_2("10.0.0.9"))[:-1], id="cut-off"),
        pytest.param(ipv4(b"\x21\x07"), id="cut-off-in-its-head"),
        pytest.param(ipv4(version_2("10.0.0.9"), limit=254), id="from-beyond-a-router"),
        pytest.param(ipv4(version_2("10.0.0.9"), fragment=0x2000), id="a-fragment"),
        pytest.param(ipv4(b"\x41" + version_2("10.0.0.9")[1:]), id="version-4"),
        pytest.param(ipv4(b"\x22" + version_2("10.0.0.9")[1:]), id="no-advert"),
        pytest.param(b"\x41" + ipv4(version_2("10.0.0.9"))[1:], id="a-head-of-four-bytes"),
        pytest.param(b"\x4f" + ipv4(version_2())[1:], id="a-head-beyond-its-end"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_is_no_whole_advert_says_nothing(packet: bytes) -> None:
    assert read(frames.ETH_P_IP, packet, "eth0", MAC) is None


def test_what_follows_an_advert_in_its_frame_is_not_of_it() -> None:
    said = read(frames.ETH_P_IP, ipv4(version_2("10.0.0.9")) + bytes(14), "eth0", MAC)
    assert isinstance(said, Advert)
    assert said.addresses == ("10.0.0.9",)


def test_a_unicast_advert_may_have_passed_a_router() -> None:
    assert read(frames.ETH_P_IP, ipv4(version_2("10.0.0.9"), limit=60, to="10.0.0.2"), "eth0", MAC)


def test_255_addresses_are_an_advert() -> None:
    said = read(frames.ETH_P_IP, ipv4(version_2(*(f"10.0.1.{one}" for one in range(255)))), "eth0", MAC)
    assert isinstance(said, Advert)
    assert len(said.addresses) == 255


def test_seeds_of_the_fuzzer_are_packets_that_say_something() -> None:
    said = [read(protocol, data, "eth0", MAC) for protocol, data in zip(PROTOCOLS, FRAMES)]
    assert [type(one).__name__ for one in said] == ["Answer", "Advert", "Advert", "Advert", "Answer"]


def test_an_announcement_is_no_answer_to_a_question() -> None:
    def arp(operation: int, address: str, wanted: str) -> Answer:
        packet = frames.ARP.pack(
            *(1, 0x800, 6, 4, operation, MAC, socket.inet_aton(address), bytes(6), socket.inet_aton(wanted))
        )
        said = read(frames.ETH_P_ARP, packet, "eth0", b"")
        assert isinstance(said, Answer)
        return said

    assert arp(2, "10.0.0.9", "0.0.0.0") == Answer("eth0", "02:00:00:00:00:01", "10.0.0.9", True)
    assert not arp(1, "10.0.0.9", "10.0.0.9").asked
    assert not arp(2, "10.0.0.9", "10.0.0.9").asked


def test_a_neighbour_beyond_a_router_is_none() -> None:
    packet = FRAMES[-1]
    assert read(frames.ETH_P_IPV6, packet[:7] + b"\xfe" + packet[8:], "eth0", MAC) is None


def test_an_advertisement_without_a_hardware_address_has_that_of_its_frame() -> None:
    packet = FRAMES[-1]
    said = read(frames.ETH_P_IPV6, packet[:4] + b"\0\x18" + packet[6:64], "eth0", MAC)
    assert said == Answer("eth0", "02:00:00:00:00:01", "fd78::1", True)


def test_hostile_bytes_do_no_harm() -> None:
    dice, read_as_something = random.Random(12), 0
    for turn in range(30_000):
        data = bytearray(dice.choice(FRAMES))
        for _ in range(dice.randrange(6)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        mangled = bytes(data[: dice.randrange(len(data) + 1)]) if turn % 3 else bytes(data) + dice.randbytes(40)
        for protocol in {*PROTOCOLS, 0x8100}:
            said = read(protocol, mangled, "eth0", MAC)
            read_as_something += said is not None
            if isinstance(said, Advert):
                assert said.version in (2, 3)
                assert 0 <= said.advert_interval <= 255
                assert all(":" in one or one.count(".") == 3 for one in (*said.addresses, said.source))
    assert read_as_something > 1000
