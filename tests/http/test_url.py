"""A URL that can be asked, or is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.http.url import ProxyUrl, Url


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port", "target", "authority"),
    [
        pytest.param("http://h", "http", "h", 80, "/", "h", id="shortest"),
        pytest.param("HTTPS://H.example/a/b", "https", "H.example", 443, "/a/b", "H.example", id="https"),
        pytest.param("http://h:8080?q=1#part", "http", "h", 8080, "/?q=1", "h:8080", id="query-without-a-path"),
        pytest.param("http://h:80/", "http", "h", 80, "/", "h", id="default-port"),
        pytest.param("http://h:443/", "http", "h", 443, "/", "h:443", id="other-scheme's-port"),
        pytest.param("http://[::1]:81/", "http", "::1", 81, "/", "[::1]:81", id="ipv6"),
        pytest.param("http://[fe80::1%25eth0]/", "http", "fe80::1%eth0", 80, "/", "[fe80::1]", id="ipv6-with-a-zone"),
        pytest.param("http://10.0.0.5/?a=b@c:d", "http", "10.0.0.5", 80, "/?a=b@c:d", "10.0.0.5", id="at-in-query"),
        pytest.param(
            "http://xn--mnchen-3ya.de./", "http", "xn--mnchen-3ya.de.", 80, "/", "xn--mnchen-3ya.de.", id="dot"
        ),
        pytest.param("http://h/%20//?", "http", "h", 80, "/%20//?", "h", id="path-as-it-is"),
    ],
)
def test_url_is_taken_apart(text: str, scheme: str, host: str, port: int, target: str, authority: str) -> None:
    url = Url.parse(text)
    assert (url.scheme, url.host, url.port, url.request_target) == (scheme, host, port, target)
    assert url.authority == authority


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "a URL begins with http:// or https://", id="nothing"),
        pytest.param("h/", "a URL begins with http:// or https://", id="no-scheme"),
        pytest.param("ftp://h/", "a URL begins with http:// or https://", id="other-scheme"),
        pytest.param("http:///", "'' has no valid host", id="no-host"),
        pytest.param("http://:80/", "':80' has no valid host", id="no-host-but-a-port"),
        pytest.param("http://a..b/", "'a..b' has no valid host", id="empty-label"),
        pytest.param("http://.a/", "'.a' has no valid host", id="dot-in-front"),
        pytest.param("http://a_b%2f/", "'a_b%2f' has no valid host", id="percent-in-host"),
        pytest.param("http://h:/", "'' in 'h:' is not a port (1 to 65535)", id="empty-port"),
        pytest.param("http://h:0/", "'0' in 'h:0' is not a port (1 to 65535)", id="port-0"),
        pytest.param("http://h:99999/", "'99999' in 'h:99999' is not a port (1 to 65535)", id="port-too-large"),
        pytest.param("http://::1/", "'::1' is an IPv6 address; write it as [ADDRESS6]:PORT", id="ipv6-bare"),
        pytest.param("http://[::1/", "'[::1' is not [ADDRESS6]:PORT", id="ipv6-half"),
        pytest.param(
            "http://h/a b", "a URL has printable ASCII only; percent-encode the rest (a space is %20)", id="blank"
        ),
        pytest.param(
            "http://h/\r\nX: y",
            "a URL has printable ASCII only; percent-encode the rest (a space is %20)",
            id="newline",
        ),
        pytest.param(
            "http://münchen.de/", "'münchen.de' is not ASCII; write the host in punycode (xn--…)", id="not-ascii"
        ),
    ],
)
def test_what_is_no_url_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        Url.parse(text)
    assert str(raised.value) == why


@pytest.mark.parametrize("parse", [Url.parse, ProxyUrl.parse])
def test_password_is_refused_and_not_repeated(parse: object) -> None:
    with pytest.raises(ValueError, match="in a file") as raised:
        parse("http://user:s3cret@h:99999999/")  # type: ignore[operator]
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("text", ["https://h", "http://h/path", "http://h?q", "h:3128"])
def test_what_is_no_proxy_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"http://"):
        ProxyUrl.parse(text)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        pytest.param("/c", "http://h:81/c", id="path"),
        pytest.param("c?d", "http://h:81/a/c?d", id="relative"),
        pytest.param("?d", "http://h:81/a/b?d", id="query"),
        pytest.param("//i/c", "http://i/c", id="host"),
        pytest.param("https://h/", "https://h/", id="scheme"),
        pytest.param("HTTPS://H.example/", "https://H.example/", id="scheme-in-capitals"),
        pytest.param("#part", "http://h:81/a/b", id="fragment"),
        pytest.param("/c#part", "http://h:81/c", id="path-with-a-fragment"),
        pytest.param(" /c\t", "http://h:81/c", id="blanks-around"),
        pytest.param("/ü/a b", "http://h:81/%C3%BC/a%20b", id="what-may-not-stand-in-a-path"),
        pytest.param("/%C3%BC%20", "http://h:81/%C3%BC%20", id="what-is-encoded-already"),
        pytest.param("/\udcfc", "http://h:81/%FC", id="bytes-that-are-not-utf-8"),
        pytest.param("?q=ü b", "http://h:81/a/b?q=%C3%BC%20b", id="what-may-not-stand-in-a-query"),
        pytest.param("http://i/a/../c/./d", "http://i/c/d", id="dots"),
        pytest.param("../../c", "http://h:81/c", id="dots-above-the-root"),
        pytest.param("http://i:/c", "http://i/c", id="empty-port"),
        pytest.param("http://user:s3cret@i/c", "http://i/c", id="user-and-password"),
        pytest.param("http://münchen.example/ü", "http://xn--mnchen-3ya.example/%C3%BC", id="host-in-utf-8"),
        pytest.param("//i", "http://i/", id="host-alone"),
        pytest.param("/a//b@c:d", "http://h:81/a//b@c:d", id="slashes-in-a-path"),
        pytest.param("/login?to=https://i:/", "http://h:81/login?to=https://i:/", id="url-in-a-query"),
    ],
)
def test_reference_is_seen_from_the_url(reference: str, expected: str) -> None:
    assert Url.parse("http://h:81/a/b").join(reference).full == expected


@pytest.mark.parametrize(
    "reference", ["ftp://i/", "mailto:a@b", "javascript:x", "http://", "http://[", "http://\udcff/"]
)
def test_reference_that_leads_nowhere_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Url.parse("http://h/").join(reference)


def test_zone_of_an_address_is_kept_by_a_path() -> None:
    assert Url.parse("http://[fe80::1%25eth0]/a").join("/b").host == "fe80::1%eth0"
    assert Url.parse("http://[fe80::1%25eth0]/a").join("http://[fe80::1]/b").host == "fe80::1%eth0"


@pytest.mark.parametrize(
    ("one", "other", "keeps"),
    [
        pytest.param("http://h/a", "http://H/b", True, id="same-origin"),
        pytest.param("http://[::1]/", "http://[0:0::1]/", True, id="same-address"),
        pytest.param("http://h./", "http://H/", True, id="final-dot"),
        pytest.param("http://h/", "https://h/", True, id="upgrade"),
        pytest.param("https://h/", "http://h/", False, id="downgrade"),
        pytest.param("http://h/", "http://h:81/", False, id="other-port"),
        pytest.param("http://h:81/", "https://h:444/", False, id="upgrade-at-another-port"),
        pytest.param("http://h/", "http://i/", False, id="other-host"),
    ],
)
def test_secrets_are_kept_from_other_origins(one: str, other: str, keeps: bool) -> None:
    assert Url.parse(other).keeps_secrets_of(Url.parse(one)) == keeps


@given(st.text() | st.text(alphabet="htps:/[]@.%?#a1- \r\n", max_size=20).map("http://".__add__))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    try:
        url = Url.parse(text)
    except ValueError:
        return
    assert url.host
    assert 1 <= url.port <= 65535
    assert all("!" <= character <= "~" for character in url.full)
    assert Url.parse(url.full).request_target == url.request_target


@given(st.text() | st.text(alphabet="htps:/[]@.%?#aü- \r\n\udcff", max_size=20))
def test_any_reference_is_a_url_or_refused(reference: str) -> None:
    try:
        url = Url.parse("http://h/a").join(reference)
    except ValueError:
        return
    assert url.host
    assert all("!" <= character <= "~" for character in url.full)
