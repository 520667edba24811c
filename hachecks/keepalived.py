"""What does Keepalived's configuration say?"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

WORD = re.compile(r'"((?:\\.|[^"\\])*)"|([{}])|([^\s{}"!#][^\s{}"]*)|[!#].*')
VIP_BLOCKS = ("virtual_ipaddress", "virtual_ipaddress_excluded")


def vips_of(configuration: str) -> dict[str, list[str]]:
    """The VIPs of each `vrrp_instance` in the text of a keepalived.conf, as addresses without prefix length.

    A half-written text gives what it says so far.
    """
    found: dict[str, list[str]] = {}
    path: list[str] = []
    words: list[str] = []
    before: list[str] = []
    for line in configuration.splitlines():
        for word in _words(line):
            if word == "{":
                path.append(" ".join(words or before))  # the brace may stand on a line of its own
                words = []
            elif word == "}":
                _note(path, words, found)
                words = []
                del path[-1:]
            else:
                words.append(word)
        _note(path, words, found)
        before, words = words or before, []
    return found


def _words(line: str) -> Iterator[str]:
    for match in WORD.finditer(line):
        quoted, brace, plain = match.groups()
        if quoted is not None or brace or plain:
            yield quoted if quoted is not None else brace or plain


def _note(path: list[str], words: list[str], found: dict[str, list[str]]) -> None:
    if len(path) == 2 and path[0].startswith("vrrp_instance ") and path[1] in VIP_BLOCKS and words:
        found.setdefault(path[0].partition(" ")[2], []).append(words[0].partition("/")[0])
