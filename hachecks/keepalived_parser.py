"""Which statements does a keepalived.conf make?

Lines, words and blocks as Keepalived's own parser (lib/parser.c, tried on 2.2.7) sees them, with includes, definitions,
conditions and sequences resolved. Where Keepalived goes on in spite of a mistake, so does this.
"""

from __future__ import annotations

import os
import re
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Place = tuple[str, int]

COMMENT_PART = re.compile(r'"(?:\\.|[^"\\])*"?|\\.|\\|[^!#"\\]+|[!#]')
UP_TO_A_BRACE = re.compile(r'[^{}"]*(?:"[^"]*(?:"|$)[^{}"]*)*')
WORD = re.compile(r'"([^"]*)"?|([^\s"]+)')
# A command is split with quotes of both kinds and with escapes, as no other line is.
COMMAND_PIECE = re.compile(r'"((?:\\.|[^"\\])*)"|\'((?:\\.|[^\'\\])*)\'|((?:\\.|[^\s"\'\\])+)')
ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]+|[0-7]{1,3}|.)")
CONDITION = re.compile(r"@(\^?)(\S*)[ \t]+(.*)")
DEFINITION = re.compile(r"\$([A-Za-z_]\w*)=[ \t]*(.*)", re.ASCII)
VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)(?=[ \t,)]|$)|\{([A-Za-z_]\w*)(?: [ \d]*)?\})", re.ASCII)
SEQUENCE = re.compile(r"~(SEQx?|LST)[ \t]*\(([^)]*)\)[ \t]*(.*)")
LISTED = re.compile(r"\{([^}]*)\}|([^,{}\s]+)")
INCLUDE = re.compile(r'include[rmwba]?\s+"?([^"]*)')
BRACES = re.compile(r"\{([^{}]*)\}")

LONGEST = 4096
"""Characters of a line whose definitions are resolved; Keepalived's own limit is 1024."""
DEEPEST = 64
"""Definitions within definitions."""
MOST = 200_000
"""Lines that a configuration may come to: 255 instances take some thousand."""
BLOCKS = ("vrrp_instance", "vrrp_script", "vrrp_sync_group")


class Unreadable(ValueError):  # noqa: N818 - the name says what happened
    """Why a configuration cannot be understood, in one line: what, where, and what to do.

    `files` are those that have been looked at, so that one can wait for a change of them.
    """

    files: tuple[str, ...] = ()


class Statement:
    """The text up to the end of a line or to a brace; `nodes` is what its block contains, None without one."""

    __slots__ = ("nodes", "place", "text")

    def __init__(self, text: str, place: Place = ("", 0)) -> None:
        self.text = text
        self.place = place
        self.nodes: list[Statement] | None = None


class Parser:
    """Makes statements of lines, in `root`. One that is not `strict` takes half a text for what it says.

    `files` are all that was read, and the directories that includes look into. `missing` are sentences about includes
    that Keepalived passes over.
    """

    def __init__(self, config_id: str, strict: bool) -> None:
        self.config_id = config_id or os.uname().nodename.partition(".")[0]
        self.strict = strict
        self.root = Statement("")
        self.root.nodes = []
        self.files: dict[str, None] = {}
        self.missing: list[str] = []
        # What is random is no number that could be told.
        self._definitions = {"_INSTANCE": [self.config_id], "_RANDOM": ["?"], "_HASH": ["#"], "_BANG": ["!"]}
        self._lines_read = 0
        self._reading: list[str] = []

    def read_file(self, path: str, parent: Statement) -> None:
        """Add what a file says to a block; raises `Unreadable`."""
        self.files[path] = None
        self._reading.append(os.path.realpath(path))
        before = self._definitions.get("_PWD", [])
        self._definitions["_PWD"] = [os.path.dirname(os.path.abspath(path))]
        self.read(_text(path), path, parent)
        self._definitions["_PWD"] = before
        self._reading.pop()

    def read(self, text: str, path: str, parent: Statement) -> None:
        """Add what the text of a file says to a block; raises `Unreadable` if strict."""
        blocks = [parent]
        for place, line in self._lines(text, path):
            nodes = blocks[-1].nodes = blocks[-1].nodes or []
            include = INCLUDE.match(line) if line[0] == "i" else None
            if include:
                self._include(include[1].strip(), place, blocks[-1])
            elif line == "{":
                if not nodes or nodes[-1].nodes is not None:
                    nodes.append(Statement("a block without a name", place))
                nodes[-1].nodes = []
                blocks.append(nodes[-1])
            elif line != "}":
                nodes.append(Statement(line, place))
            elif len(blocks) > 1:
                blocks.pop()
            else:
                self._refuse(place, "there is a } too many; is the { before it lost?")
        if len(blocks) > 1:
            self._refuse(blocks[-1].place, f"{blocks[-1].text} is not closed; is it half-written?")
        last = (parent.nodes or [parent])[-1]
        if last.nodes is None and last.text.startswith(BLOCKS):
            self._refuse(last.place, f"{last.text} has no block; is it half-written?")

    def _refuse(self, place: Place, why: str) -> None:
        if self.strict:
            raise Unreadable(f"{place[0]} line {place[1]}: {why}")

    def _lines(self, text: str, path: str) -> Iterator[tuple[Place, str]]:
        """Each brace, and what stands between them, as a line of its own; definitions are taken in."""
        unfinished: list[str] | None = None
        for number, raw in enumerate(text.split("\n"), 1):
            line = _uncommented(raw)
            if unfinished is None:
                pending = [line]
                while pending:
                    line = pending.pop()
                    if "$" in line or line[:1] in ("@", "~"):
                        line = self._resolved(line, pending)
                        definition = DEFINITION.match(line)
                        if definition:
                            unfinished = self._define(definition[1], definition[2])
                            continue
                    if ("{" in line or "}" in line) and not INCLUDE.match(line):
                        line = _first_of(line, pending)
                    if line and line != "\\":
                        yield (path, number), line
                    self._lines_read += 1
                    if self._lines_read + len(pending) > MOST:
                        why = f"from here it is more than {MOST} lines; does a definition contain itself?"
                        return self._refuse((path, number), why)
            elif line or not raw.strip("\r"):  # a mere comment is passed over, an empty line is the end
                if line.strip("\\ \t"):
                    unfinished.append(line.rstrip("\\ \t") if line[-1] == "\\" else line)
                if not line.endswith("\\"):
                    unfinished = None
        return None

    def _define(self, name: str, value: str) -> list[str] | None:
        """Remember a definition; returns its list of lines where more of them follow."""
        more = value.endswith("\\")
        value = value.rstrip("\\ \t") if more else value
        lines = self._definitions[name] = [value] if value or not more else []
        return lines if more else None

    def _resolved(self, line: str, pending: list[str]) -> str:
        """The line with its conditions and variables resolved, or a definition; what it makes more of is pending."""

        def replaced(match: re.Match[str]) -> str:
            lines = self._definitions.get(match[1] or match[2])
            if lines is None or (len(lines) > 1 and match.end() < len(line)):
                return match[0]
            pending.extend(reversed(lines[1:]))
            return lines[0] if lines else ""

        for _ in range(DEEPEST):
            if line[:1] == "@":
                condition = CONDITION.match(line)
                if not condition or (condition[2] == self.config_id) == bool(condition[1]):
                    return ""
                line = condition[3]
            sequence = SEQUENCE.match(line)
            if sequence:
                pending.extend(reversed(list(self._repeated(*sequence.groups()))))
                return ""
            before = line
            if not DEFINITION.match(line) and len(line) <= LONGEST:
                line = VARIABLE.sub(replaced, line).strip()
            if line == before:
                break
        return line

    def _repeated(self, kind: str, arguments: str, text: str) -> Iterator[str]:
        """A line for each value of a sequence or list, and before it what defines the value."""
        arguments = VARIABLE.sub(lambda match: "".join(self._definitions.get(match[1] or match[2], ["?"])), arguments)
        if kind == "LST":
            names, *rows = ((braced or plain).split(",") for braced, plain in LISTED.findall(arguments) or [("", "")])
            for row in rows:
                yield from (f"${name.strip()}={value.strip()}" for name, value in zip(names, row))
                yield text
            return
        name, *numbers = (word.strip() for word in arguments.split(","))
        for number in _numbers(numbers):
            yield f"${name}={number:x}" if kind == "SEQx" else f"${name}={number}"
            yield text

    def _include(self, pattern: str, place: Place, parent: Statement) -> None:
        """Add what the files say that a pattern stands for; Keepalived passes over those that are not there."""
        if not self.strict:
            return
        for path in self._included(pattern, place):
            try:
                mode = os.stat(path).st_mode
            except FileNotFoundError:
                self.missing.append(f"{place[0]} line {place[1]}: there is no {path} to include; put it there")
                continue
            except OSError as error:
                raise Unreadable(_refusal(path, error)) from error
            if os.path.realpath(path) in self._reading:
                self._refuse(place, f"include {pattern} leads back to {path}; leave it out")
            elif mode & 0o111 and stat.S_ISREG(mode):
                self.missing.append(f"{place[0]} line {place[1]}: Keepalived includes no executable; chmod a-x {path}")
            elif not stat.S_ISDIR(mode):
                self.read_file(path, parent)

    def _included(self, pattern: str, place: Place) -> Iterator[str]:
        """The paths of the files that a pattern stands for; one without wildcards stands for itself."""
        from glob import glob, has_magic

        for one in _alternatives(os.path.join(os.path.dirname(place[0]), pattern)):
            directory = os.path.dirname(one) or "."
            self.files[directory] = None
            if not has_magic(one):
                yield one
                continue
            if not has_magic(directory):
                try:
                    os.listdir(directory)  # which glob would not tell of
                except FileNotFoundError:
                    yield directory
                except OSError as error:
                    raise Unreadable(_refusal(directory, error)) from error
            yield from sorted(glob(one))


def _text(path: str) -> str:
    """What a regular file contains; raises `Unreadable`."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Unreadable(f"{path} is no regular file; name the file that Keepalived reads")
        with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
            return file.read()
    except OSError as error:
        raise Unreadable(_refusal(path, error)) from error


def _refusal(path: str, error: OSError) -> str:
    remedy = "let this user read it" if isinstance(error, PermissionError) else "name the file that Keepalived reads"
    return f"{path} cannot be read: {error.strerror or error}; {remedy}"


def _uncommented(line: str) -> str:
    line = line.strip()
    if "#" not in line and "!" not in line:
        return line
    kept = ""
    for part in COMMENT_PART.findall(line):
        if part in ("!", "#"):
            # A comment on a line of a definition does not end the definition.
            return (kept.rstrip() + " \\" * line.endswith("\\")).lstrip()
        kept += part[1] if part in ("\\!", "\\#") else part
    return kept


def _first_of(line: str, pending: list[str]) -> str:
    """The line up to a brace, or the brace that it begins with; the rest is pending."""
    found = UP_TO_A_BRACE.match(line)
    end = (found.end() if found else 0) or 1
    if line[end:]:
        pending.append(line[end:].strip())
    return line[:end].strip()


def _numbers(words: list[str]) -> range:
    """The numbers of a ~SEQ: to an end, from a start, in steps; none where they are no such numbers."""
    try:
        values = [int(word, 0) for word in words]
        end = values[-1]
        start = values[0] if len(values) > 1 else -1 if end < 0 else 1
        step = values[1] if len(values) == 3 else 1 if start <= end else -1
        return range(start, end + (1 if step > 0 else -1), step)[:MOST]
    except (IndexError, ValueError):
        return range(0)


def _alternatives(pattern: str) -> Iterator[str]:
    """The patterns that one with `{a,b}` stands for."""
    found = BRACES.search(pattern)
    if not found:
        yield pattern
        return
    for one in found[1].split(","):
        yield from _alternatives(pattern[: found.start()] + one + pattern[found.end() :])


def words_of(text: str) -> list[str]:
    """The words of a statement, without their quotes."""
    if '"' not in text:
        return text.split()
    return [quoted or plain for quoted, plain in WORD.findall(text)]


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
