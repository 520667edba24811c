"""The users of the `web.config.file`: passwords against bcrypt's hashes, where a guesser keeps nobody else waiting.

bcrypt takes 50 ms to 300 ms by design. What was verified once is known by a keyed hash; the rest is compared one at a
time, in a thread, and of what waits that of the peer with the fewest wrong passwords lately comes first, and then the
newest. Who goes on guessing gets a third of a core at most.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import bcrypt

if TYPE_CHECKING:
    from collections.abc import Mapping

# The last letter of the salt has two bits of it only; bcrypt compares with nothing else.
HASH = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
MAX_PASSWORD_BYTES = 72
"""Bytes of a password that bcrypt looks at; htpasswd and Go leave out the rest, where Python's bcrypt complains."""
MAX_NAME_BYTES = 256
"""Of a user's name; a longer one is nobody's."""
MAX_VERIFIED = 1000
"""Passwords that are remembered to be right, so that they need not be compared again."""
MAX_WAITING = 16
"""Passwords that wait to be compared; more than these are refused, which costs nothing."""
MAX_WAIT_SECONDS = 5.0
"""Seconds that a password waits at most: Prometheus gives a scrape 10 s, and tries again at the next."""
FORGIVEN_GUESSES = 5
"""Wrong passwords of a peer that are forgiven: a person mistypes."""
REST_FACTOR = 2.0
"""How many times as long as a guess took nothing is compared for a peer that goes on guessing."""
FORGET_GUESSES_SECONDS = 60.0
"""Seconds without a wrong password after which a peer's are forgotten."""
MAX_PEERS = 1000
"""Peers whose wrong passwords are remembered."""


class Busy(Exception):  # noqa: N818 - the name says what it is
    """More passwords are being tried than can be compared."""


class _Guess:
    """A pair that waits to be compared; `number` grows with each."""

    def __init__(self, name: bytes, password: bytes, peer: str, number: int) -> None:
        self.name = name
        self.password = password
        self.peer = peer
        self.number = number
        self.answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()


class Users:
    """Names with their bcrypt hashes, and the pairs that were verified since, as keyed hashes."""

    def __init__(self, hashes: Mapping[bytes, bytes]) -> None:
        self.hashes = hashes
        self.computed = 0
        self._stand_ins = list(hashes.values())
        self._secret = secrets.token_bytes(32)
        self._known: set[bytes] = set()
        self._thread = ThreadPoolExecutor(1, "bcrypt")
        self._waiting: dict[bytes, _Guess] = {}
        self._worker: asyncio.Task[None] | None = None
        self._news: asyncio.Future[None] | None = None
        self._number = 0
        self._rest_until = 0.0
        self._wrong: dict[str, tuple[int, float]] = {}

    def same_as(self, other: Users | None) -> bool:
        """Whether these are the same users."""
        return other is not None and other.hashes == self.hashes

    async def admit(self, authorization: str | None, peer: str) -> bool:
        """Whether the header names a user and the right password; raises `Busy`."""
        name, colon, password = _basic(authorization).partition(b":")
        if not colon or len(name) > MAX_NAME_BYTES:
            return False
        password = password[:MAX_PASSWORD_BYTES]
        pair = self._keyed(len(name).to_bytes(4, "big") + name + password)
        if pair in self._known:
            return True
        guess = self._waiting.get(pair) or self._line_up(pair, _Guess(name, password, peer, self._number))
        done, _ = await asyncio.wait({guess.answer}, timeout=MAX_WAIT_SECONDS)
        if not done:
            self._waiting.pop(pair, None)
        if not done or guess.answer.cancelled():
            raise Busy
        if guess.answer.result() and len(self._known) < MAX_VERIFIED:
            self._known.add(pair)
        return guess.answer.result()

    def _line_up(self, pair: bytes, guess: _Guess) -> _Guess:
        self._number += 1
        self._waiting[pair] = guess
        if len(self._waiting) > MAX_WAITING:
            self._waiting.pop(min(self._waiting, key=self._preference)).answer.cancel()
        if self._news and not self._news.done():
            self._news.set_result(None)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.ensure_future(self._compare_all())
        return guess

    def _preference(self, pair: bytes) -> tuple[int, int]:
        """The guess with the greatest one comes first."""
        guess = self._waiting[pair]
        return -self._wrong_of(guess.peer), guess.number

    def _wrong_of(self, peer: str) -> int:
        count, at = self._wrong.get(peer, (0, 0.0))
        return count if time.monotonic() < at + FORGET_GUESSES_SECONDS else 0

    async def _compare_all(self) -> None:
        while self._waiting:
            pair = max(self._waiting, key=self._preference)
            rest = self._rest_until - time.monotonic()
            if rest > 0 and self._wrong_of(self._waiting[pair].peer) > FORGIVEN_GUESSES:
                await self._news_within(rest)
                continue
            await self._compare(self._waiting.pop(pair))

    async def _news_within(self, seconds: float) -> None:
        """Wait, but no longer than until another guess comes, which may be of a peer that does not wait."""
        self._news = asyncio.get_running_loop().create_future()
        await asyncio.wait({self._news}, timeout=seconds)
        self._news = None

    async def _compare(self, guess: _Guess) -> None:
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        right = await loop.run_in_executor(self._thread, self._is_right, guess.name, guess.password)
        if not right:
            now = time.monotonic()
            self._rest_until = now + REST_FACTOR * (now - began)
            self._note_wrong(guess.peer, now)
        if not guess.answer.done():
            guess.answer.set_result(right)

    def _note_wrong(self, peer: str, now: float) -> None:
        count = self._wrong_of(peer) + 1
        self._wrong.pop(peer, None)
        if len(self._wrong) >= MAX_PEERS:
            del self._wrong[next(iter(self._wrong))]
        self._wrong[peer] = count, now

    def _keyed(self, data: bytes) -> bytes:
        return hmac.digest(self._secret, data, "sha256")

    def _is_right(self, name: bytes, password: bytes) -> bool:
        self.computed += 1
        right = bcrypt.checkpw(password, self.hash_for(name))
        return right and name in self.hashes

    def hash_for(self, name: bytes) -> bytes:
        """What a password is compared with: the user's hash, and for an unknown name always the same user's.

        So the time tells nothing of who is a user, whatever the costs of the hashes are.
        """
        number = int.from_bytes(self._keyed(name)[:8], "big")
        return self.hashes.get(name) or self._stand_ins[number % len(self._stand_ins)]


def _basic(authorization: str | None) -> bytes:
    """`user:password` from a header; nothing from anything else."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(token.strip().encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return b""
