"""HTTP URLs, strict in what people write, lenient in where servers send us, and never shown with a secret."""

from __future__ import annotations

from hachecks.net.target import Target, canonical, family_of, split_host_port

DEFAULT_PORTS = {"http": 80, "https": 443}
NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")


class Url:
    """An http or https URL; its string has no query, which may hold a token."""

    __slots__ = ("_target", "host", "path", "port", "query", "scheme")
    _target: Target

    def __init__(self, scheme: str, host: str, port: int, path: str, query: str = "") -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path
        self.query = query

    @classmethod
    def parse(cls, text: str) -> Url:
        """From `http[s]://HOST[:PORT][/PATH][?QUERY]`; raises `ValueError`, never with a password in its text."""
        scheme, separator, rest = text.partition("://")
        if not separator or scheme.lower() not in DEFAULT_PORTS:
            raise ValueError("a URL begins with http:// or https://")
        end = min(at for at in (rest.find("/"), rest.find("?"), rest.find("#"), len(rest)) if at >= 0)
        authority, rest = rest[:end], rest[end:].partition("#")[0]
        if "@" in authority:
            raise ValueError("a URL takes no user and password; put USER:PASSWORD in a file and give --basic-file FILE")
        host, port = _host_and_port(authority)
        if not all("!" <= character <= "~" for character in rest):
            raise ValueError("a URL has printable ASCII only; percent-encode the rest (a space is %20)")
        path, mark, query = rest.partition("?")
        scheme = scheme.lower()
        return cls(scheme, host, port or DEFAULT_PORTS[scheme], path or "/", mark + query)

    @property
    def authority(self) -> str:
        """What the Host header says: the port only where it is not the scheme's own."""
        host = self.host.partition("%")[0]
        host = f"[{host}]" if ":" in host else host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def request_target(self) -> str:
        """The path and the query."""
        return self.path + self.query

    @property
    def full(self) -> str:
        """All of it, query included: for the wire, not for people."""
        return f"{self.scheme}://{self.authority}{self.request_target}"

    @property
    def target(self) -> Target:
        """Where to connect."""
        try:
            return self._target
        except AttributeError:  # it keeps what was found out of the host
            self._target = Target(self.host, self.port)
            return self._target

    def is_on_host_of(self, other: Url) -> bool:
        """Whether both have the same host, however it is written."""
        return canonical(self.host) == canonical(other.host)

    def keeps_secrets_of(self, other: Url) -> bool:
        """Whether what may be told to the other may be told here: the same origin, or its upgrade to https."""
        if not self.is_on_host_of(other):
            return False
        upgraded = (other.scheme, other.port, self.scheme, self.port) == ("http", 80, "https", 443)
        return upgraded or (self.scheme, self.port) == (other.scheme, other.port)

    def join(self, reference: str) -> Url:
        """The URL that a Location header means, seen from this one; raises `ValueError`.

        As curl and browsers do, what may not stand in a URL is percent-encoded, and a host is put into punycode.
        """
        from urllib.parse import urljoin

        there = Url.parse(urljoin(self.full, _encoded(reference.strip())))
        if "/." in there.path:
            there.path = Url.parse(urljoin("http://h/", there.path)).path
        if there.authority.lower() == self.authority.lower():
            there.host = self.host  # with its zone, which no Location has
        return there

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}{'?…' if self.query else ''}"

    def __repr__(self) -> str:
        return self.full

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Url) and self.full == other.full

    def __hash__(self) -> int:
        return hash(self.full)


class ProxyUrl(Url):
    """The URL of an HTTP proxy."""

    @classmethod
    def parse(cls, text: str) -> ProxyUrl:
        """From `http://HOST[:PORT]`; raises `ValueError`."""
        if "@" in text:
            raise ValueError("a proxy takes no user and password here; put them in a file: --proxy-basic-file FILE")
        url = Url.parse(text)
        if url.scheme != "http" or url.request_target != "/":
            raise ValueError("a proxy is written http://HOST:PORT")
        return cls(url.scheme, url.host, url.port, url.path)


def _host_and_port(authority: str) -> tuple[str, int | None]:
    """The two halves of the authority; raises `ValueError`."""
    if not authority.isascii():
        raise ValueError(f"{authority!r} is not ASCII; write the host in punycode (xn--…)")
    host, port = split_host_port(authority.replace("%25", "%", 1))
    if family_of(host) is None and not (NAME_LETTERS.issuperset(host) and all(host.removesuffix(".").split("."))):
        raise ValueError(f"{authority!r} has no valid host")
    if ":" in host and not authority.startswith("["):
        raise ValueError(f"{authority!r} is an IPv6 address; write it as [ADDRESS6]:PORT")
    return host, port


def _encoded(reference: str) -> str:
    """A reference with nothing but what may stand in a URL: no user, no empty port; raises `ValueError`."""
    before, slashes, rest = reference.partition("//")
    if slashes and (not before or (before[-1] == ":" and before[:-1].isalnum())):
        end = min(at for at in (rest.find("/"), rest.find("?"), rest.find("#"), len(rest)) if at >= 0)
        host = rest[:end].rpartition("@")[2].removesuffix(":")
        if not host:
            raise ValueError("it has no host")
        return f"{before}//{_in_punycode(host)}{_percent_encoded(rest[end:])}"
    return _percent_encoded(reference)


def _percent_encoded(text: str) -> str:
    data = text.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if 0x21 <= byte <= 0x7E else f"%{byte:02X}" for byte in data)


def _in_punycode(host: str) -> str:
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        raise ValueError("its host is not a name") from None
