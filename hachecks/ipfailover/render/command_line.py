"""Command lines of checks and notify scripts: their words, by what they are started, and how Keepalived reads them.

Keepalived starts no shell. It resolves a script's path once, when it reads the file, and counts a script that cannot be
executed afterwards as one that succeeds: so what is started is always a program that stays where it is.
"""

from __future__ import annotations

import re

from hachecks.keepalived.parser import COMMAND_PIECE, split_command

PLAIN = re.compile(r"[A-Za-z0-9_./:=,+%@^-]+", re.ASCII)
RISKY = re.compile(r"""[\x01-\x1f\x7f"'\\#!$~]""")
"""What ends a line or a quote, or begins an escape, a comment, a variable or an expansion in Keepalived's reader."""
OPERATORS = re.compile(r"[|&;]+|[0-9]?[<>]+(?:&[0-9])?")
LONGEST = 900
"""Bytes: Keepalived cuts lines of more than 1023."""
STABLE = ("sh", "env")
HACHECK = "/etc/keepalive/hacheck"
"""Our executable where a ConfigMap puts it: a program for sh, whatever its mode is there."""
VIP = "{vip}"
"""Stands for the VIP in a command."""


def words_of(text: str) -> tuple[str, ...]:
    """The words of what somebody gives for a command, with what starts it in front; raises `ValueError`.

    They are those that Keepalived makes of it between double quotes, where the stock image puts it. Env finds the
    program anew at each run, obeys its #! line, and fails where it is missing or may not be executed.
    """
    words = split_command(_unescaped(text))
    if not words or not words[0] or _rest(_unescaped(text)):
        raise ValueError(f"{text!r} is no command line; is a quote not closed?")
    if any(sign == "\0" or (sign > "\x7f" and sign not in text) for word in words for sign in word):
        raise ValueError(f"{text!r} has an escape of a byte that no command line can have, or that is no letter")
    operator = next((word for word in words if OPERATORS.fullmatch(word)), "")
    if operator or words[0].startswith("<"):
        raise ValueError(f"{operator or words[0]} is a shell's, and Keepalived starts none; write sh -c '...'")
    if words[0] in STABLE:
        return tuple(words)
    if words[0] == HACHECK:
        return ("sh", *words)
    if "=" in words[0] or words[0].startswith("-"):
        raise ValueError(f"{words[0]} would be no command to env; begin with the program")
    return ("env", *words)


def _unescaped(text: str) -> str:
    """The text without the escapes of the double quotes around it; those of the words are taken from what is left."""
    whole = split_command(f'"{text}"')
    return whole[0] if len(whole) == 1 and not _rest(f'"{text}"') else ""


def _rest(text: str) -> str:
    """What is neither a word nor a blank: half a quote, or half an escape."""
    return COMMAND_PIECE.sub("", text).strip()


def written(words: tuple[str, ...]) -> str:
    """The words as they stand between double quotes in keepalived.conf; raises `ValueError` where they are too long."""
    text = " ".join(map(_quoted, words))
    if len(text.encode()) > LONGEST:
        raise ValueError(f"the command has {len(text.encode())} bytes, limit {LONGEST}; put it into a script")
    return text


def _quoted(word: str) -> str:
    if PLAIN.fullmatch(word):
        return word
    # Keepalived takes escapes twice: within the double quotes, then within each word. Octal digits end by themselves.
    return "'" + RISKY.sub(lambda match: f"\\\\{ord(match[0]):03o}", word) + "'"


def with_vip(words: tuple[str, ...], vip: str) -> tuple[str, ...]:
    """The words with the VIP in its place."""
    return tuple(word.replace(VIP, vip) for word in words)
