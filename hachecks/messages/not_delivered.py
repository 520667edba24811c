"""`NotDelivered`: why a message did not reach its service, and whether it may be sent again."""

from __future__ import annotations


class NotDelivered(Exception):  # noqa: N818 - the name says what happened
    """The service was not told; the text is the reason.

    `retryable`: whether it may be tried again. `retry_after`: in how many seconds at the earliest, where the service
    said so; the whole channel waits for that long.
    """

    def __init__(self, reason: str, *, retryable: bool, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retryable = retryable
        self.retry_after = retry_after
