"""Inputs like given ones: changed, cut, repeated and mixed."""

# ruff: noqa: E501

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzz.target import LONGEST

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

NASTY = (
    b"", b"\0", b"\n", b"\r\n", b"\t", b" ", b"\x1b", b"\x1c", b"\x1e", b"\x1f", b"\x7f", b"\x80", b"\xff", b"\xff\xff\xff\xff",
    b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xae", b"\xed\xa0\x80", "²".encode(), "٣".encode(),
    b"-1", b"0", b"+1", b"1_0", b"0x10", b"1e999", b"-0.0", b"NaN", b"Infinity", b"1" * 400, b"9" * 5000, b"18446744073709551616",
    b"null", b"true", b"[]", b"{}", b'""', b"'", b'"', b"\\", b"\\u0000", b"\\ud800", b"%", b"%00", b"%ff", b"{", b"}", b"[", b"]",
    b"(", b")", b",", b":", b";", b"=", b"#", b"!", b"$", b"@", b"~", b"&", b"*", b"/", b"../", b"?", b"|", b"[" * 3000, b"{" * 3000,
)  # fmt: skip


def mutated(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """One of the seeds after a few changes; seldom a long one."""
    data = chance.choice(seeds) if seeds else b""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5, 12))):
        data = chance.choice(CHANGES)(data, seeds, chance)
    if chance.random() < 0.01:
        data = _swollen(data, seeds, chance)
    return data[:LONGEST]


def _span(data: bytes, chance: random.Random) -> tuple[int, int]:
    begin = chance.randrange(len(data) + 1)
    return begin, min(len(data), begin + chance.choice((0, 1, 1, 2, 4, 8, 30, 200)))


def _flipped(data: bytes, _seeds: Sequence[bytes], chance: random.Random) -> bytes:
    if not data:
        return chance.randbytes(8)
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _overwritten(data: bytes, _seeds: Sequence[bytes], chance: random.Random) -> bytes:
    begin, end = _span(data, chance)
    return data[:begin] + chance.randbytes(end - begin) + data[end:]


def _cut(data: bytes, _seeds: Sequence[bytes], chance: random.Random) -> bytes:
    begin, end = _span(data, chance)
    return data[:begin] + data[end:]


def _ended(data: bytes, _seeds: Sequence[bytes], chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _nasty(data: bytes, _seeds: Sequence[bytes], chance: random.Random) -> bytes:
    begin, end = _span(data, chance)
    return data[:begin] + chance.choice(NASTY) + data[chance.choice((begin, end)) :]


def _number_changed(data: bytes, _seeds: Sequence[bytes], chance: random.Random) -> bytes:
    digits = [at for at, byte in enumerate(data) if 48 <= byte <= 57]
    if not digits:
        return data
    at = chance.choice(digits)
    return (
        data[:at]
        + chance.choice((b"0", b"-1", b"255", b"256", b"65536", b"4294967296", b"1e9", b".5"))
        + data[at + 1 :]
    )


def _spliced(data: bytes, seeds: Sequence[bytes], chance: random.Random) -> bytes:
    other = chance.choice(seeds) if seeds else b""
    begin, end = _span(other, chance)
    at = chance.randrange(len(data) + 1)
    return data[:at] + (other[begin:] if chance.random() < 0.3 else other[begin:end]) + data[at:]


def _repeated(data: bytes, _seeds: Sequence[bytes], chance: random.Random) -> bytes:
    begin, end = _span(data, chance)
    return data[:begin] + data[begin:end] * chance.choice((2, 3, 10, 70)) + data[end:]


def _swollen(data: bytes, _seeds: Sequence[bytes], chance: random.Random) -> bytes:
    begin, end = _span(data, chance)
    part = data[begin:end] or b"x"
    return data[:begin] + part * (LONGEST // len(part)) + data[end:]


CHANGES: tuple[Callable[[bytes, Sequence[bytes], random.Random], bytes], ...] = (
    _flipped, _overwritten, _cut, _ended, _nasty, _nasty, _number_changed, _spliced, _repeated,
)  # fmt: skip
