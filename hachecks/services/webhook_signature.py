"""Webhook signatures of Standard Webhooks: an HMAC over id, time and body says who sent it, and that it is new."""

from __future__ import annotations

import time

from hachecks.http.headers import Header
from hachecks.messages.not_delivered import NotDelivered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "whsec_"
SHORTEST_KEY, LONGEST_KEY = 24, 64
"""Bytes of a key, as the specification has it."""


def keys_in(text: str, where: str) -> list[bytes]:
    """The keys in a text of words `whsec_BASE64`, the present one first; raises `NotDelivered`, and shows none."""
    import binascii

    keys = []
    for number, word in enumerate(text.split(), 1):
        try:
            keys.append(binascii.a2b_base64(word[len(PREFIX) :].encode()))
        except ValueError:
            keys.append(b"")
        if not word.startswith(PREFIX) or not SHORTEST_KEY <= len(keys[-1]) <= LONGEST_KEY:
            expected = f"{PREFIX} and {SHORTEST_KEY} to {LONGEST_KEY} bytes in base64"
            raise NotDelivered(f"cannot use key {number} of {where}: expected {expected}", retryable=True)
    if not keys:
        raise NotDelivered(f"cannot use {where}: it holds no key", retryable=True)
    return keys


def signed(identity: str, body: bytes, keys: Sequence[bytes]) -> list[Header]:
    """The headers; the id stays the same when a message is sent again, the time does not."""
    import base64
    import hashlib
    import hmac

    now = str(int(time.time()))
    content = f"{identity}.{now}.".encode() + body
    signatures = (base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode() for key in keys)
    headers = [Header("webhook-id", identity), Header("webhook-timestamp", now)]
    if keys:
        headers.append(Header("webhook-signature", " ".join(f"v1,{signature}" for signature in signatures)))
    return headers
