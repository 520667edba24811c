"""Whether Keepalived starts its VRRP process for a configuration.

Its first process reads the file too. It knows the keywords of global_defs only, and passes over all other blocks by
counting braces: what it does not find at the top level is not started, though the VRRP process would read it (parser.c
of 2.2.7).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Sequence

STARTING = ("vrrp_instance", "static_ipaddress", "static_routes", "static_rules")
"""Blocks that the VRRP process is started for."""


class Start:
    """Sees each line that has words; `found` is whether a block was at the top level that VRRP is started for.

    `defaults` are the first lines of each keyword in global_defs, of which `lines` are all, and `within` is the block
    that it passes over now.
    """

    def __init__(self, keywords: Container[str]) -> None:
        self.keywords = keywords
        self.found = False
        self.defaults: dict[str, list[str]] = {}
        self.lines: list[Sequence[str]] = []
        self.within = ""
        self._depth = 0
        self._reading = self._read_top

    def see(self, words: Sequence[str]) -> None:
        """Take in a line."""
        self._reading(words)

    def _read_top(self, words: Sequence[str]) -> None:
        keyword = words[0]
        if keyword == "global_defs":
            self._reading = self._read_defaults
        elif keyword in self.keywords:
            self.found = self.found or keyword in STARTING
            self.within = " ".join(words)
            self._reading = self._await_brace

    def _await_brace(self, words: Sequence[str]) -> None:
        if words[0] == "{":
            self._depth = 1
            self._reading = self._pass_over
        else:
            self._reading = self._read_top
            self._read_top(words)

    def _pass_over(self, words: Sequence[str]) -> None:
        for word in words:
            self._depth += (word == "{") - (word == "}")
            if not self._depth:
                self.within = ""
                self._reading = self._read_top
                break

    def _read_defaults(self, words: Sequence[str]) -> None:
        if words[0] == "notification_email":
            self._reading = self._read_addresses
        elif words[0] == "}":
            self._reading = self._read_top
        else:
            self.lines.append(words)
            self.defaults.setdefault(words[0], [*words[1:], ""])

    def _read_addresses(self, words: Sequence[str]) -> None:
        if words[-1] == "}":
            self._reading = self._read_defaults
