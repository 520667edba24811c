"""What this node says of itself to its group, made again only when there is news: each node asks each second."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

from hachecks.exporter.consistency import headline
from hachecks.group.answer import Answer, Held

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hachecks.exporter.sources import Sources
    from hachecks.exporter.view import View


class OwnAnswer:
    """The answer of this process; `checks` has the fingerprints of declared checks, `drain` why VIPs are given away."""

    def __init__(self, sources: Sources, checks: Callable[[], Mapping[str, str]], drain: Callable[[], str]) -> None:
        self.identity = os.urandom(8).hex()
        self._sources = sources
        self._checks = checks
        self._drain = drain
        self._made_of: tuple[object, ...] = ()
        self._made: Answer | None = None
        self._text: tuple[bytes, str] | None = None

    def of(self, view: View) -> Answer:
        """The answer; the same object while there is no news."""
        settings, checks, drain = self._sources.configuration.alike, self._checks(), self._drain()
        top = headline(view)
        made_of = (view.node, view.vips, view.agrees, top, settings, checks, drain)
        if self._made is None or made_of != self._made_of:
            sentence = f"{top.sentence} ({', '.join(top.but)})" if top.but else top.sentence
            vips: dict[str, Held] = {}
            for one in view.vips:
                if one.address not in vips or one.present:
                    vips[one.address] = Held(one.instance, one.state, one.present)
            self._made = Answer(
                view.node, view.version, self.identity, view.agrees, sentence, vips, settings, checks, drain
            )
            self._made_of, self._text = made_of, None
        return self._made

    def text(self, view: View) -> tuple[bytes, str]:
        """The answer as JSON, and its fingerprint."""
        made = self.of(view)
        if self._text is None:
            text = made.text().encode("utf-8", "backslashreplace")
            self._text = text, f"{self.identity}-{zlib.crc32(text):08x}"
        return self._text
