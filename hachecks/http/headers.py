"""Header fields to send and to expect; those that hold secrets come from files, never from the command line."""

from __future__ import annotations

from hachecks.http.patterns import Pattern
from hachecks.secret_file import read_text
from hachecks.units import printable
from hachecks.verdict import CannotLook

TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
SECRET = {
    "authorization": "--bearer-file, --basic-file or --header-file",
    "proxy-authorization": "--proxy-basic-file or --header-file",
    "cookie": "--header-file",
}
FRAMING = frozenset({"content-length", "transfer-encoding"})


class Header:
    """A header field to send."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.value = value

    @classmethod
    def parse(cls, text: str) -> Header:
        """From `Name: value`; raises `ValueError` without the value, which may be a secret."""
        name, colon, value = text.partition(":")
        if not colon or not is_token(name):
            raise ValueError("a header is written 'Name: value'")
        value = value.strip(" \t")
        printable(value.replace("\t", " "), f"the value of the header {name}")
        if name.lower() in FRAMING:
            raise ValueError(f"{name} is what the body makes it; drop the header")
        return cls(name, value)

    @property
    def is_secret(self) -> bool:
        """Whether the value must not be shown, nor told to another host."""
        return self.name.lower() in SECRET

    def __repr__(self) -> str:
        return f"{self.name}: {'…' if self.is_secret else self.value}"


class HeaderPattern:
    """A header field's name, and what its value matches."""

    __slots__ = ("name", "pattern")

    def __init__(self, name: str, pattern: Pattern) -> None:
        self.name = name
        self.pattern = pattern

    @classmethod
    def parse(cls, text: str) -> HeaderPattern:
        """From `Name: REGEX`, or a name alone, which any value matches; raises `ValueError`."""
        name, _, pattern = text.partition(":")
        if not is_token(name):
            raise ValueError(f"{text!r} is not 'Name: REGEX'")
        return cls(name, Pattern.parse(pattern.strip(" \t")))

    def __str__(self) -> str:
        return f"{self.name}: {self.pattern}" if self.pattern.text else self.name

    __repr__ = __str__


def is_token(text: str) -> bool:
    """Whether it can be a method or the name of a header field."""
    return bool(text) and TOKEN.issuperset(text)


def refuse_secret(text: str) -> str | None:
    """What to do instead of writing this header on the command line, if it holds a secret."""
    name = text.partition(":")[0].strip()
    instead = SECRET.get(name.lower())
    return f"{name} on the command line can be read by everybody on the node; use {instead}" if instead else None


def from_file(path: str) -> list[Header]:
    """The header fields in a file, one on a line; raises `CannotLook`."""
    try:
        return [Header.parse(line) for line in read_text(path).splitlines() if line.strip()]
    except ValueError as error:
        raise CannotLook(f"cannot use {path}: {error}") from None


def basic(user_and_password: str) -> str:
    """The value of an Authorization header for `USER:PASSWORD`; raises `CannotLook`."""
    from base64 import b64encode

    if ":" not in user_and_password:
        raise CannotLook("cannot log in: basic authentication takes USER:PASSWORD")
    return "Basic " + b64encode(user_and_password.encode()).decode()
