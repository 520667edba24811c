"""Hosts, ports and unix sockets, as people write them and as they must not."""

from __future__ import annotations

import re
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.net.target import Endpoint, Ip, Target, canonical, family_of

PIECES = st.sampled_from(
    ["[", "]", ":", "::", "1", "fe80::1", "%", "eth0", ".", "127.0.0.1", "unix:", "/", "host", "80", "65536", " ", "\0"]
)
TEXTS = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=8).map("".join))


@pytest.mark.parametrize(
    ("text", "host", "port", "path"),
    [
        pytest.param("web", "web", None, "", id="name"),
        pytest.param("web.example.", "web.example.", None, "", id="final-dot"),
        pytest.param("web:80", "web", 80, "", id="name-and-port"),
        pytest.param("web:00080", "web", 80, "", id="leading-zeros"),
        pytest.param("web:65535", "web", 65535, "", id="last-port"),
        pytest.param("10.0.0.5:5432", "10.0.0.5", 5432, "", id="ipv4"),
        pytest.param("[fd00::5]:5432", "fd00::5", 5432, "", id="ipv6"),
        pytest.param("[fd00::5]", "fd00::5", None, "", id="ipv6-in-brackets"),
        pytest.param("fd00::5", "fd00::5", None, "", id="bare-ipv6"),
        pytest.param("[fe80::1%eth0]:80", "fe80::1%eth0", 80, "", id="zone"),
        pytest.param("::ffff:10.0.0.5", "::ffff:10.0.0.5", None, "", id="mapped"),
        pytest.param("unix:/run/app.sock", "", None, "/run/app.sock", id="unix"),
        pytest.param("unix:/run/a b:c.sock", "", None, "/run/a b:c.sock", id="unix-with-blank"),
    ],
)
def test_what_is_written_well_is_understood(text: str, host: str, port: int | None, path: str) -> None:
    target = Target.parse(text)
    assert (target.host, target.port, target.path) == (host, port, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "'' has no valid host", id="nothing"),
        pytest.param(":80", "':80' has no valid host", id="no-host"),
        pytest.param("web:", "'' in 'web:' is not a port (1 to 65535)", id="empty-port"),
        pytest.param("web:0", "'0' in 'web:0' is not a port (1 to 65535)", id="port-0"),
        pytest.param("web:65536", "'65536' in 'web:65536' is not a port (1 to 65535)", id="port-too-large"),
        pytest.param("web:0000801234567", "'0000801234567' in 'web:0000801234567' is not a port (1 to 65535)",
                     id="port-that-begins-well"),
        pytest.param("web:-1", "'-1' in 'web:-1' is not a port (1 to 65535)", id="negative-port"),
        pytest.param("web:٨٠", "'٨٠' in 'web:٨٠' is not a port (1 to 65535)", id="other-digits"),
        pytest.param("web:http", "'http' in 'web:http' is not a port (1 to 65535)", id="service-name"),
        pytest.param("fd00::5:x", "'fd00::5:x' is not an address; write IPv6 as [ADDRESS6]:PORT", id="no-brackets"),
        pytest.param("a:b:c", "'a:b:c' is not an address; write IPv6 as [ADDRESS6]:PORT", id="colons"),
        pytest.param("[10.0.0.5]:80", "'[10.0.0.5]:80' is not [ADDRESS6]:PORT", id="ipv4-in-brackets"),
        pytest.param("[fd00::5", "'[fd00::5' is not [ADDRESS6]:PORT", id="open-bracket"),
        pytest.param("[fd00::5]80", "'[fd00::5]80' is not [ADDRESS6]:PORT", id="no-colon"),
        pytest.param("[fe80::1%]:80", "'[fe80::1%]:80' is not [ADDRESS6]:PORT", id="empty-zone"),
        pytest.param("fe80::1%]:80", "'fe80::1%]:80' is not an address; write IPv6 as [ADDRESS6]:PORT",
                     id="zone-with-bracket"),
        pytest.param("http://web:80", "'http://web:80' is not an address; write IPv6 as [ADDRESS6]:PORT", id="url"),
        pytest.param("web/path:80", "'web/path:80' has no valid host", id="path"),
        pytest.param("user@web:80", "'user@web:80' has no valid host", id="user"),
        pytest.param("we b:80", "'we b:80' has no valid host", id="blank"),
        pytest.param("unix:run/app.sock", "'unix:run/app.sock' needs an absolute path (unix:/run/app.sock)",
                     id="relative-path"),
    ],
)  # fmt: skip
def test_what_is_not_is_refused_with_the_way_to_write_it(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Target.parse(text)


@pytest.mark.parametrize("text", ["web", "10.0.0.5", "[fd00::5]", "fd00::5"])
def test_an_endpoint_must_have_a_port(text: str) -> None:
    message = f"{text!r} has no port (write HOST:PORT, [ADDRESS6]:PORT or unix:/PATH)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Endpoint.parse(text)


@given(TEXTS)
def test_any_text_is_a_target_or_refused(text: str) -> None:
    try:
        target = Target.parse(text)
    except ValueError as error:
        assert repr(text) in str(error)  # noqa: PT017 - most texts are refused, and not all
        return
    assert Target.parse(str(target)) == target
    assert bool(target.host) != bool(target.path)
    assert target.port is None or 1 <= target.port <= 65535


@given(TEXTS)
def test_an_endpoint_is_a_target_with_a_port_or_a_path(text: str) -> None:
    try:
        endpoint = Endpoint.parse(text)
    except ValueError:
        return
    assert endpoint == Target.parse(text)
    assert endpoint.port or endpoint.path


@given(st.ip_addresses(), st.one_of(st.none(), st.integers(1, 65535)))
def test_any_address_is_told_as_it_is_written(address: object, port: int | None) -> None:
    host = str(address)
    target = Target(host, port)
    assert Target.parse(str(target)) == target
    assert (Target.parse(str(target)).host, Target.parse(str(target)).port) == (host, port)
    assert family_of(host) == (socket.AF_INET6 if ":" in host else socket.AF_INET)
    assert Ip.parse(host) == host


@pytest.mark.parametrize("text", ["", "web", "10.0.0", "10.0.0.5%eth0", "10.0.0.5/24", "[fd00::5]", "fd00::5%", "\0"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(repr(text))} is not an IP address$"):
        Ip.parse(text)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("Web.Example.", "web.example"),
        ("2001:0DB8::0005", "2001:db8::5"),
        ("2001:db8:0:0:0:0:0:5", "2001:db8::5"),
        ("fe80:0::1%eth0", "fe80::1%eth0"),
        ("10.0.0.5", "10.0.0.5"),
    ],
)
def test_a_host_is_one_however_it_is_written(host: str, expected: str) -> None:
    assert canonical(host) == expected


def test_targets_written_alike_are_one() -> None:
    assert len({Target.parse("web:80"), Target.parse("web:080"), Target.parse("web:81")}) == 2
    assert Target.parse("web:80") != "web:80"
    assert repr(Target.parse("[fd00::5]:80")) == "[fd00::5]:80"
