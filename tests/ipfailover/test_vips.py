"""Lists of VIPs: what each form means, and what is said of those that mean nothing."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.ipfailover.vips import LIMIT, parse
from tests.ipfailover.given import many, odd_lists


def expanded(text: str) -> list[str]:
    return list(map(str, parse(text).addresses))


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        pytest.param("1.2.3.4", ["1.2.3.4"], id="single"),
        pytest.param("1.2.3.4-6,1.2.3.9", ["1.2.3.4", "1.2.3.5", "1.2.3.6", "1.2.3.9"], id="the-documentation's"),
        pytest.param("1.2.3.4-1.2.3.5", ["1.2.3.4", "1.2.3.5"], id="full-range"),
        pytest.param(
            "10.1.1.254-10.1.2.1", ["10.1.1.254", "10.1.1.255", "10.1.2.0", "10.1.2.1"], id="range-across-octets"
        ),
        pytest.param("10.1.1.5-5", ["10.1.1.5"], id="range-of-one"),
        pytest.param("10.1.1.1 - 3", ["10.1.1.1", "10.1.1.2", "10.1.1.3"], id="blanks-beside-the-hyphen"),
        pytest.param("3.3.3.3-4  4.4.4.4", ["3.3.3.3", "3.3.3.4", "4.4.4.4"], id="blanks-part-items-as-documented"),
        pytest.param("1.1.1.1,\n2.2.2.2,,", ["1.1.1.1", "2.2.2.2"], id="lines-and-empty-items"),
        pytest.param("10.1.0.0/30", ["10.1.0.1", "10.1.0.2"], id="block"),
        pytest.param("10.1.0.4/31", ["10.1.0.4", "10.1.0.5"], id="block-of-two-has-no-broadcast"),
        pytest.param("10.1.1.9/32,fd00::9/128", ["10.1.1.9", "fd00::9"], id="blocks-of-one"),
        pytest.param("FD00::A-c", ["fd00::a", "fd00::b", "fd00::c"], id="ipv6-range-by-its-last-part"),
        pytest.param("fd00::ffff-fd00::1:0", ["fd00::ffff", "fd00::1:0"], id="ipv6-range-across-parts"),
        pytest.param("fd00::/126", ["fd00::1", "fd00::2", "fd00::3"], id="ipv6-block"),
        pytest.param("10.0.0.1,fd00::1", ["10.0.0.1", "fd00::1"], id="both-families"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_each_form_is_expanded_in_its_order(text: str, addresses: list[str]) -> None:
    assert expanded(text) == addresses


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(
            "10.0.0.9,10.1.1.1/24",
            "item 2, '10.1.1.1/24': write 10.1.1.1 for this one VIP, or 10.1.1.0/24 for the whole block",
            id="prefix-of-a-VIP",
        ),
        pytest.param("10.0.0.1,10.0.0.9-7", "item 2, '10.0.0.9-7': 10.0.0.7 comes before 10.0.0.9", id="reversed"),
        pytest.param(
            "10.0.0.2-10.0.0.1", "10.0.0.1 comes before 10.0.0.2; write 10.0.0.1-10.0.0.2", id="full-reversed"
        ),
        pytest.param("10.2.2.254-257", "item 1, '10.2.2.254-257': the last part 257 is not 0 to 255", id="beyond-255"),
        pytest.param("10.2.2.1-08", "the last part 08 is not 0 to 255", id="octal-end"),
        pytest.param("10.0.0.300", "item 1, '10.0.0.300': '10.0.0.300' is no address", id="bad-octet"),
        pytest.param("010.0.0.1", "'010.0.0.1' is no address", id="octal"),
        pytest.param("www.example.test", "'www.example.test' is no address", id="host-name"),
        pytest.param("10.0.0.1-fd00::1", "10.0.0.1 and fd00::1 are of different families", id="families-mixed"),
        pytest.param(
            "10.0.0.1,10.0.0.1", "item 2, '10.0.0.1': 10.0.0.1 is already in item 1, '10.0.0.1'", id="duplicate"
        ),
        pytest.param(
            "10.0.0.1-9 10.0.0.5-12", "10.0.0.5 is already in item 1, '10.0.0.1-9'; name it once", id="overlap"
        ),
        pytest.param("fd00::1,fd00:0::1", "fd00::1 is already in item 1", id="duplicate-in-another-spelling"),
        pytest.param("10.0.0.1-", "item 2, '-': expected one address, FIRST-LAST, or a CIDR block", id="no-end"),
        pytest.param("-10.0.0.1", "expected one address", id="no-start"),
        pytest.param("10.0.0.1-2-3", "expected one address", id="two-hyphens"),
        pytest.param("10.0.0.0/33", "/33 is no prefix length of 10.0.0.0", id="prefix-too-long"),
        pytest.param("10.0.0.0/x", "'x' is no prefix length", id="prefix-no-number"),
        pytest.param("10.0.0.0/24-10.0.1.0/24", "is no prefix length", id="range-of-blocks"),
        pytest.param("10.0.0.0/8", f"this makes 16777214 VIPs, limit {LIMIT}", id="too-many"),
        pytest.param("fd00::/64", f"VIPs, limit {LIMIT}", id="far-too-many"),
        pytest.param("0.0.0.0", "0.0.0.0 is the unspecified address, which no VIP can be", id="unspecified"),
        pytest.param("0.0.0.9", "0.0.0.9 is an address of no network", id="no-network"),
        pytest.param("127.0.0.1", "127.0.0.1 is a loopback address", id="loopback"),
        pytest.param("::1", "::1 is a loopback address", id="ipv6-loopback"),
        pytest.param("224.0.0.18", "224.0.0.18 is a multicast address", id="multicast"),
        pytest.param("ff02::12", "ff02::12 is a multicast address", id="ipv6-multicast"),
        pytest.param("255.255.255.255", "255.255.255.255 is a broadcast address", id="broadcast"),
        pytest.param("126.0.0.1-128.0.0.1", "127.0.0.0/8, which no VIP can be in, is in it", id="loopback-between"),
        pytest.param("126.0.0.0/7", "is a loopback address", id="block-that-ends-in-loopback"),
        pytest.param("fe80::1%eth0", "fe80::1%eth0 names an interface; write the address alone", id="scope"),
        pytest.param("::ffff:10.0.0.1", "an IPv4 address within IPv6; write 10.0.0.1", id="mapped"),
    ],
)
def test_what_is_wrong_is_named_with_its_item(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"^item [0-9]+, ") as caught:
        parse(text)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("10.1.0.0/28", "the network address 10.1.0.0 and the broadcast address 10.1.0.15 are left out"),
        ("fd00::/120", "fd00::, which all routers of the subnet have, is left out"),
    ],
)
def test_what_a_block_leaves_out_is_told(text: str, note: str) -> None:
    assert parse(f"10.9.9.9,{text}").notes == (f"item 2, {text!r}: {note}",)


@many
@given(st.one_of(odd_lists, st.text(alphabet="0123456789abcdef.:,-/ \n", max_size=40), st.text(max_size=30)))
def test_any_text_makes_usable_addresses_or_a_complaint(text: str) -> None:
    try:
        addresses = parse(text).addresses
    except ValueError as error:
        complaint = str(error)
    else:
        complaint = ""
    if complaint:
        assert complaint.startswith("item ")
        return
    assert len(set(addresses)) == len(addresses) <= LIMIT
    assert not any(one.is_multicast or one.is_loopback or one.is_unspecified for one in addresses)
    assert [ipaddress.ip_address(str(one)) for one in addresses] == list(addresses)
