"""When does a verdict count? After `rise` good ones in a row, or `fall` bad ones."""

from __future__ import annotations


class Streak:
    """The answer that counts now (`up`), and how many in a row have said otherwise since."""

    __slots__ = ("contrary", "up")

    def __init__(self, up: bool, contrary: int) -> None:
        self.up = up
        self.contrary = contrary

    def after(self, good: bool, rise: int, fall: int) -> Streak:
        """The streak after one more verdict."""
        if good == self.up:
            return Streak(self.up, 0)
        contrary = self.contrary + 1
        return Streak(good, 0) if contrary >= (rise if good else fall) else Streak(self.up, contrary)


class Memory:
    """A streak as it is kept between two runs: one line of text.

    It is believed when it is of this boot and no older than `lifetime` seconds: after a longer pause the first verdict
    counts at once, as it does for Keepalived.
    """

    def __init__(self, boot: str, now: float, lifetime: float) -> None:
        self.boot = boot
        self.now = now
        self.lifetime = lifetime

    def recall(self, text: str) -> Streak | None:
        """The streak the text tells of, if it can be read and believed."""
        fields = text.split()
        if len(fields) != 4 or fields[0] != self.boot or fields[2] not in ("up", "down"):
            return None
        try:
            at, contrary = float(fields[1]), int(fields[3])
        except ValueError:
            return None
        return Streak(fields[2] == "up", contrary) if 0 <= self.now - at <= self.lifetime else None

    def told(self, streak: Streak) -> str:
        """The text to keep."""
        return f"{self.boot} {self.now!r} {'up' if streak.up else 'down'} {streak.contrary}\n"
