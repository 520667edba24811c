"""The blocks of a keepalived.conf as Keepalived comes to see them.

What it makes of a brace too many or too few follows from which keywords begin a block, and at which level: so it does
here, with the keywords of its VRRP process (vrrp_parser.c of 2.2.7, and what later versions add).
"""

from __future__ import annotations

import re

from hachecks.keepalived.files import Findings
from hachecks.keepalived.lines import Lines
from hachecks.keepalived.start import Start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Union

    Place = tuple[str, int]
    Table = Mapping[str, Union["Table", str]]

WORD = re.compile(r'"([^"]*)("|$)|([^\s"]+)', re.ASCII)
# A command is split with quotes of both kinds and with escapes, as no other line is.
COMMAND_PIECE = re.compile(r'"((?:\\.|[^"\\])*)"|\'((?:\\.|[^\'\\])*)\'|((?:\\.|[^\s"\'\\])+)', re.ASCII)
ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]+|[0-7]{1,3}|.)")

VALUES = "values"
"""A block of lines that are no keywords."""
PASSED_OVER = "passed over"
"""A block that is another process's: its braces are counted, and its lines are no keywords either."""
TRACKED = dict.fromkeys(("track_interface", "track_script", "track_file", "track_process", "track_bfd"), VALUES)
ADDRESSES = ("virtual_ipaddress", "virtual_ipaddress_excluded")
INSTANCE = dict.fromkeys((*ADDRESSES, "unicast_peer", "virtual_routes", "virtual_rules"), VALUES)
ROOT: Table = {
    "vrrp_instance": {**INSTANCE, **TRACKED, "authentication": {}, "auth_hmac": {}},
    "vrrp_sync_group": {"group": VALUES, **TRACKED},
    "track_group": {"group": VALUES},
    "garp_group": {"interfaces": VALUES},
    **{name: {} for name in ("vrrp_script", "vrrp_track_process", "track_process", "track_file", "vrrp_track_file")},
    "bfd_instance": {},
    **dict.fromkeys(("static_ipaddress", "static_routes", "static_rules"), VALUES),
    **dict.fromkeys(("linkbeat_interfaces", "interface_up_down_delays"), VALUES),
    **dict.fromkeys(
        ("global_defs", "virtual_server", "virtual_server_group", "SSL", "linkbeat_use_polling"), PASSED_OVER
    ),
    **dict.fromkeys(("net_namespace", "net_namespace_ipvs", "namespace_with_ipsets"), PASSED_OVER),
    **dict.fromkeys(("use_pid_dir", "instance", "child_wait_time"), PASSED_OVER),
}
NAMED = ("vrrp_instance", "vrrp_sync_group", "track_group")
"""Blocks that are passed over where they have no name, or one that an earlier block has."""


class Statement:
    """A line with its words; `nodes` is what its block contains, None without one."""

    __slots__ = ("nodes", "place", "text", "words")

    def __init__(self, text: str, words: list[str], place: Place) -> None:
        self.text = text
        self.words = words
        self.place = place
        self.nodes: list[Statement] | None = None


class Parser:
    """Makes statements of the lines that `lines` was told to read, in `root`."""

    def __init__(self, config_id: str = "") -> None:
        self.findings = Findings()
        self.lines = Lines(config_id, self.findings)
        self.root = Statement("", [], ("", 0))
        self.root.nodes = []
        self.start = Start(ROOT)
        self._last: dict[str, Statement] = {}
        self._names: set[tuple[str, str]] = set()
        self._depth = 0
        self._skipped = 0
        self._awaits_block = False
        self._unknown = ""

    def parse(self) -> Statement:
        """Read to the end."""
        self._read(ROOT, self.root, level=0)
        if self._depth:
            missing = "a } is missing" if self._depth == 1 else f"a }} is missing, {self._depth} times,"
            self.findings.tell(self.lines.place, f"{missing} before the end; is it half-written?")
        first = next((one for one in self.root.nodes or () if one.words[0] == "vrrp_instance"), None)
        if first and not self.start.found:
            lost = f", since {self.start.within[:80]} is not closed" if self.start.within else ""
            what = f"Keepalived's first process does not find {first.text[:80]}{lost}; it serves no instance at all"
            self.findings.tell_first(first.place, what)
        return self.root

    @property
    def unfinished(self) -> bool:
        """Whether a block is open at the end: someone may be writing it."""
        return self._depth > 0

    def _next(self) -> Statement | None:
        """The next line that has words."""
        while True:
            text = self.lines.next_line()
            if text is None:
                return None
            if text == "{":
                self._depth += 1
            elif text == "}" and self._depth:
                self._depth -= 1
            elif text == "}":
                self.findings.tell(self.lines.place, "there is a } too many; is the { before it lost?")
            words = words_of(text)
            if words:
                self.start.see(words)
                return Statement(text, words, self.lines.place)

    def _read(self, table: Table, block: Statement, level: int) -> bool:
        """Take in the statements of a block to its end; returns whether it was passed over from somewhere within."""
        nodes = block.nodes = [] if block.nodes is None else block.nodes
        needs_brace = level > 0
        while True:
            line = self._next()
            if line is None:
                return False
            word = line.words[0]
            if self._awaits_block:
                self._awaits_block = False
                if word == "{":
                    self._skipped, needs_brace = 1, False
                    continue
            if self._skipped:
                if self._pass_over(line) and level:
                    return True
                continue
            if needs_brace:
                needs_brace = False
                if word == "{":
                    continue
                self.findings.tell(line.place, f"the {{ of {block.text} is missing before {line.text[:80]}")
            elif word == "{":
                self._tell_unexpected(line, block)
                continue
            if word == "}" and level:
                return False
            self._take(table, line, nodes, level)

    def _take(self, table: Table, line: Statement, nodes: list[Statement], level: int) -> None:
        """Take in one statement with its block."""
        kind = table.get(line.words[0])
        self._unknown = line.text if kind is None else ""
        if kind is None:
            nodes.append(line)
            return
        refusal = self._refusal(line, nodes, level)
        if refusal:
            self.findings.tell(line.place, refusal)
            kind = {} if isinstance(kind, str) else kind
            self._awaits_block = True
            if level == 0:
                # Without a block, what follows counts for the last that there was.
                last = self._last.get(line.words[0]) or Statement(line.text, line.words, line.place)
                self._read(kind, last, level + 1)
            return
        nodes.append(line)
        self._last[line.words[0]] = line
        if kind == PASSED_OVER:
            self._awaits_block = True
        elif isinstance(kind, str):
            self._read_values(line)
        else:
            self._read(kind, line, level + 1)

    def _refusal(self, line: Statement, nodes: list[Statement], level: int) -> str:
        """Why Keepalived passes over a block that it knows; empty if it does not."""
        keyword = line.words[0]
        if level and keyword == "group" and any(node.words[0] == "group" for node in nodes):
            return "the second group block is passed over, and with it what follows in this block; leave it out"
        if level or keyword not in NAMED:
            return ""
        if len(line.words) != 2:
            return f"{line.text[:80]} is to have one word as its name, and is passed over"
        name = (keyword, line.words[1])
        if name in self._names:
            return f"{keyword} {line.words[1]} is there already, and this one is passed over; give it another name"
        self._names.add(name)
        return ""

    def _pass_over(self, line: Statement) -> bool:
        """Count the braces of a block that is passed over; returns whether it has ended."""
        for word in line.words:
            self._skipped += (word == "{") - (word == "}")
            if not self._skipped:
                return True
        return False

    def _tell_unexpected(self, line: Statement, block: Statement) -> None:
        inside = f" within {block.text}" if block.text else ""
        if block.text and self._unknown.partition(" ")[0] in ROOT:
            why = f"{self._unknown[:80]} stands{inside}, and its lines count there: is the }} before it missing?"
        else:
            why = f"Keepalived knows no block {self._unknown[:80]}{inside}; leave it out".replace("  ", " ")
        self.findings.tell(line.place, why)

    def _read_values(self, block: Statement) -> None:
        """Take in the lines of a block that are no keywords."""
        nodes: list[Statement] = []
        block.nodes = nodes
        needs_brace, ended = block.words[1:2] != ["{"], False
        if not needs_brace:
            words = block.words[2:]
            ended = words[-1:] == ["}"]
            words = words[:-1] if ended else words
            if words:
                nodes.append(Statement(block.text, words, block.place))
        while not ended:
            line = self._next()
            if line is None:
                return
            words = line.words
            if needs_brace:
                needs_brace = False
                if words[0] == "{":
                    words = words[1:]
                    if not words:
                        continue
                else:
                    self.findings.tell(line.place, f"the {{ of {block.text} is missing before {line.text[:80]}")
            ended = words[-1] == "}"
            words = words[:-1] if ended else words
            if words:
                if words[0] in ROOT:
                    why = f"{line.text[:80]} stands within {block.text}, and counts there: is the }} before it missing?"
                    self.findings.tell(line.place, why)
                nodes.append(Statement(line.text, words, line.place))


def words_of(text: str) -> list[str]:
    """The words of a line, without their quotes; a quote that is not closed ends them."""
    words = []
    for match in WORD.finditer(text):
        quoted, closed, plain = match.groups()
        if plain is None and not closed:
            break
        words.append(quoted if plain is None else plain)
    return words


def split_command(text: str) -> list[str]:
    """The words of a command line, as Keepalived splits it, without a shell."""
    words: list[str] = []
    end = -1
    for piece in COMMAND_PIECE.finditer(text):
        word = ESCAPE.sub(_escaped, piece[piece.lastindex or 0])
        if piece.start() == end:
            words[-1] += word
        else:
            words.append(word)
        end = piece.end()
    return words


def _escaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16) & 255)
    return chr(int(code, 8) & 255) if code[0] in "01234567" else {"n": "\n", "t": "\t"}.get(code, code)
