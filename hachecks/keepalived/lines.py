"""The lines of a keepalived.conf as Keepalived comes to see them.

Its own reader (lib/parser.c of 2.2.7) is followed where it goes on in spite of a mistake: what stands below was tried
against it. Comments, conditions, definitions, sequences and includes are resolved here, each brace becomes a line.
"""

from __future__ import annotations

import os
import re
from io import BytesIO

from hachecks.keepalived.files import Files, Findings, Include, Unreadable
from hachecks.keepalived.sequences import sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Place = tuple[str, int]

COMMENT_PART = re.compile(r'"|\\.|\\|[^!#"\\]+|[!#]', re.DOTALL)
UP_TO_A_BRACE = re.compile(r'[^{}"]*(?:"[^"]*(?:"|$)[^{}"]*)*')
CONDITION = re.compile(r"@(\^?)([^ \t]*)[ \t]+(.*)", re.DOTALL)
DEFINITION = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)=[ \t]*(.*)", re.DOTALL)
VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)(?=[ \t,)]|$)|\{([A-Za-z_]\w*)( *)([ \d]*\d)?\})", re.ASCII)
INCLUDE = re.compile(r"include([rmwba]?)\s[ \t]*(.*)", re.DOTALL | re.ASCII)
RANDOM = "_RANDOM"
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""Stands for a number that Keepalived draws anew at each start."""

MAX_LINE_BYTES = 1023
"""Bytes of a line, as Keepalived reads it: what is longer is several lines, and does not grow."""
MAX_LINES = 150_000
"""Lines and braces that a configuration may come to: 255 instances take some thousand."""
EXPANSION_COST = 10
"""Lines of a file that one of a definition or sequence counts for, since a few letters make very many of these."""
MAX_EXPANDED_LENGTH = 2 * 1024 * 1024
"""Characters that definitions and sequences may come to."""
MAX_REPLACEMENTS = 100
"""Definitions that one line may name, one within another."""


class Lines:
    """Gives one line after the other with `next_line`; a mistake becomes a finding, and reading goes on."""

    def __init__(self, config_id: str, findings: Findings) -> None:
        self.config_id = config_id or os.uname().nodename.partition(".")[0]
        self.findings = findings
        self.files = Files(findings)
        self.place: Place = ("", 0)
        self._definitions = {"_INSTANCE": [self.config_id], RANDOM: [UNKNOWN], "_HASH": ["#"], "_BANG": ["!"]}
        self._whole: set[str] = set()
        self._open: list[str] = []
        self._texts: list[Iterator[tuple[Place, str]]] = []
        self._expansions: list[Iterator[str]] = []
        self._rest = ""
        self._ended = False
        self._unfinished: list[str] | None = None
        self._lines = MAX_LINES
        self._characters = MAX_EXPANDED_LENGTH

    def read_text(self, text: bytes, path: str = "") -> None:
        """Go on with this text, and come back to what is read now."""
        self._texts.append(self._text(text, path))

    def read_file(self, path: str) -> None:
        """Go on with a file; raises `Unreadable`."""
        content = self.files.content(path)
        self._texts.append(self._file(path, content))

    def next_line(self) -> str | None:
        """A line, up to a brace or just one, with its `place` noted; None at the end of all."""
        while True:
            raw = self._raw()
            if raw is None:
                return None
            line = self._resolved(raw) if self._unfinished is None else self._continued(raw, self._unfinished)
            include = INCLUDE.match(line) if line[:1] == "i" else None
            if include:
                self._texts.append(self._included(Include(include[2], self.place, include[1], self.findings)))
            elif line:
                line = self._up_to_a_brace(line)
                if line[-1] == "\\":
                    why = f"the \\ that ends {line[:80]} counts as a letter of it; leave it out"
                    self.findings.tell(self.place, why)
                return line

    def _raw(self) -> str | None:
        """What is to be read next: the rest of a line, a line of a definition or sequence, or one of a file."""
        if (self._rest or self._expansions) and not self._spend(EXPANSION_COST if self._expansions else 1):
            return None
        if self._rest:
            line, self._rest = self._rest, ""
            return line
        while self._expansions:
            expanded = next(self._expansions[-1], None)
            if expanded is not None:
                return expanded if self._may_grow(len(expanded)) else ""
            self._expansions.pop()
        while self._texts:
            found = next(self._texts[-1], None)
            if found is not None:
                self.place, line = found
                return line
            self._texts.pop()
        return None

    def _spend(self, lines: int) -> bool:
        """Whether there may be so many lines more; if not, it is told, and nothing more is read."""
        if self._lines >= lines:
            self._lines -= lines
            return True
        self._lines = 0
        if not self._ended:
            why = f"from here it is more than {MAX_LINES} lines, and not read; does a definition contain itself?"
            self.findings.tell_first(self.place, why)
        self._ended = True
        self._rest = ""
        self._expansions.clear()
        return False

    def _may_grow(self, characters: int) -> bool:
        """Whether definitions and sequences have not come to too much yet."""
        if self._characters >= characters:
            self._characters -= characters
            return True
        why = f"from here definitions come to more than {MAX_EXPANDED_LENGTH} characters, and are not read"
        self.findings.tell_first(self.place, why)
        self._expansions.clear()
        return False

    def _file(self, path: str, content: bytes) -> Iterator[tuple[Place, str]]:
        before = self._definitions.get("_PWD", [])
        self._definitions["_PWD"] = [os.path.dirname(os.path.realpath(path))]
        self._open.append(os.path.realpath(path))
        yield from self._text(content, path)
        self._open.pop()
        self._definitions["_PWD"] = before

    def _included(self, include: Include) -> Iterator[tuple[Place, str]]:
        """The lines of the files that an include names, one after the other."""
        if not self._open:
            return
        for path in self.files.included(include, self._open):
            try:
                content = self.files.content(path)
            except Unreadable as error:
                include.tell(str(error), "r")
            else:
                yield from self._file(path, content)

    def _text(self, text: bytes, path: str) -> Iterator[tuple[Place, str]]:
        """The lines of a text that say something, without their comments."""
        for number, ended in enumerate(BytesIO(text), 1):
            whole = ended[:-1] if ended[-1:] == b"\n" else ended
            for start in range(0, len(whole), MAX_LINE_BYTES) or (0,):
                if not self._spend(1):
                    return
                kept = whole[start : start + MAX_LINE_BYTES].partition(b"\0")[0].rstrip(b"\r")
                raw = kept.decode("utf-8", "backslashreplace")
                if not raw:
                    self._unfinished = None  # an empty line ends a definition, a mere comment does not
                    continue
                # Its child reads a copy without comments, and once more looks for comments there.
                line = uncommented(uncommented(raw))
                if line:
                    yield (path, number), line

    def _continued(self, line: str, unfinished: list[str]) -> str:
        """Take a line as one more of the definition that is not finished."""
        more = line.endswith("\\")
        line = line[:-1].rstrip(" \t") if more else line
        if line and self._may_grow(len(line)):
            unfinished.append(line)
        if not more:
            self._unfinished = None
        return ""

    def _define(self, name: str, value: str) -> None:
        more = value.endswith("\\")
        value = value[:-1].rstrip(" \t") if more else value
        lines = self._definitions[name] = [value] if value or not more else []
        self._whole.discard(name)
        if more:
            self._whole.add(name)
            self._unfinished = lines

    def _resolved(self, line: str) -> str:
        """The line with its condition and definitions resolved; empty where it only defines something."""
        written = len(line)
        for _ in range(MAX_REPLACEMENTS):
            if line[:1] == "@":
                condition = CONDITION.match(line)
                if not condition or (condition[2] == self.config_id) == bool(condition[1]):
                    return ""
                if len(line) > written:  # it moves as many characters as there were before
                    self.findings.tell(self.place, f"{line[:80]} may be garbled by Keepalived; write its condition out")
                line = condition[3]
            definition = DEFINITION.match(line)
            if definition:
                self._define(definition[1], definition[2])
                return ""
            if line[:4] in ("~SEQ", "~LST"):
                self._repeat(line)
                return ""
            if line[:1] == "~" or "$" not in line:
                return line
            line, again = self._replaced(line)
            if not again:
                return line
        return line

    def _replaced(self, line: str) -> tuple[str, bool]:
        """The line with its definitions in place of their names, and whether it is to be looked at again."""
        start, count = line.find("$"), 0
        while start >= 0:
            match = VARIABLE.match(line, start)
            value = self._value(match, match.end() == len(line)) if match else None
            if match is None or value is None:
                self._tell_undefined(match)
                start = line.find("$", start + 1)
                continue
            count += 1
            longer = (
                line[:start] + value + ("" if match[4] or not match[3] else f"{match[3][1:]}}}") + line[match.end() :]
            )
            if count > MAX_REPLACEMENTS:
                self.findings.tell(self.place, f"{match[0]} contains itself, and Keepalived would read it for ever")
                return "", False
            if len(longer) > MAX_LINE_BYTES or not self._may_grow(len(value)):
                self.findings.tell(self.place, f"with {match[0]} the line gets longer than Keepalived reads")
                return line, False
            line = longer
            if value.lstrip(" \t")[:1] == "~":
                break
            start = line.find("$", start)
        if not count:
            return line, False
        line = uncommented(line)
        return line, line[:1] == "@" or "$" in line

    def _value(self, match: re.Match[str], last: bool) -> str | None:
        """The first line of a definition, its further lines being read next; None where there is none to be put in."""
        name = match[1] or match[2]
        lines = self._definitions.get(name)
        if lines is None or (match[4] and name != RANDOM) or (name in self._whole and (not last or match[3])):
            return None
        if lines == [UNKNOWN]:
            self.findings.tell(self.place, f"{match[0]} is another number at each start of Keepalived: not known here")
        if len(lines) > 1:
            self._expansions.append(iter(lines[1:]))
        return lines[0] if lines else ""

    def _tell_undefined(self, match: re.Match[str] | None) -> None:
        if match and match[2] and match[2] not in self._definitions:
            self.findings.tell(self.place, f"{match[0]} is not defined, and its braces count as a block's; define it")

    def _repeat(self, line: str) -> None:
        """Read a line for each value of a sequence or list."""
        values = sequence(line, lambda numbers: self._replaced(numbers)[0])
        if values is None:
            also = ", and may garble other sequences" if line[1] == "L" else ""
            self.findings.tell(self.place, f"{line[:80]} is no sequence; Keepalived passes over it{also}")
            return
        names, rows, text = values

        def lines() -> Iterator[str]:
            for row in rows:
                self._definitions.update((name, [value]) for name, value in zip(names, row))
                yield text

        self._expansions.append(lines())

    def _up_to_a_brace(self, line: str) -> str:
        """The line up to a brace, or the brace that it begins with; the rest is read next."""
        found = UP_TO_A_BRACE.match(line)
        end = (found.end() if found else 0) or 1
        self._rest = line[end:].strip(" \t")
        return line[:end].strip(" \t")


def uncommented(line: str) -> str:
    """A line without what follows a `!` or `#` that is neither quoted nor escaped, and without blanks around it."""
    line = line.strip(" \t")
    if "#" not in line and "!" not in line and "\\" not in line:
        return line
    kept, quoted, skipped, continued = "", False, False, False
    for part in COMMENT_PART.findall(line):
        if part == "\\":
            continued = True  # only the last of a line can be alone
        elif skipped:
            continue
        elif part == '"':
            quoted = not quoted
            kept += part
        elif not quoted and part in ("!", "#"):
            skipped = True
        else:
            kept += part[1] if not quoted and part in ("\\!", "\\#") else part
    return kept.rstrip(" \t") + "\\" * continued
