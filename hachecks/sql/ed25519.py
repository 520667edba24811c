"""Signatures of MariaDB's ed25519 plugin: RFC 8032 in Python's integers, 5 ms, since PyMySQL wants libsodium for it."""

from __future__ import annotations

import hashlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    Point = tuple[int, int, int, int]

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, PRIME - 2, PRIME) % PRIME
X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
Y = 4 * pow(5, PRIME - 2, PRIME) % PRIME
BASE: Point = (X, Y, 1, X * Y % PRIME)
NEUTRAL: Point = (0, 1, 1, 0)


def sign(password: bytes, message: bytes) -> bytes:
    """The signature of a message, whose key is the password's hash (MariaDB's change to the RFC)."""
    digest = hashlib.sha512(password).digest()
    secret = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    once = _number(digest[32:] + message)
    commitment = _packed(_times(once, BASE))
    public = _packed(_times(secret, BASE))
    answer = (once + _number(commitment + public + message) * secret) % ORDER
    return commitment + answer.to_bytes(32, "little")


def _number(data: bytes) -> int:
    return int.from_bytes(hashlib.sha512(data).digest(), "little") % ORDER


def _times(factor: int, point: Point) -> Point:
    product = NEUTRAL
    while factor:
        if factor & 1:
            product = _sum(product, point)
        point = _sum(point, point)
        factor >>= 1
    return product


def _sum(one: Point, other: Point) -> Point:
    """RFC 8032, 5.1.4."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % PRIME
    b = (one[1] + one[0]) * (other[1] + other[0]) % PRIME
    c = 2 * one[3] * other[3] * D % PRIME
    d = 2 * one[2] * other[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def _packed(point: Point) -> bytes:
    inverse = pow(point[2], PRIME - 2, PRIME)
    x, y = point[0] * inverse % PRIME, point[1] * inverse % PRIME
    return (y | (x & 1) << 255).to_bytes(32, "little")
