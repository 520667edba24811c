"""Secrets in files: passwords, tokens and keys, read anew each time, and never shown."""

from __future__ import annotations

from hachecks.verdict import CannotLook

MAX_CHARACTERS = 2**20
"""Of a file that is read for the sake of a secret: one that has no end must not fill the node's memory."""


def read_secret(path: str, *, keep_blanks: bool = False) -> str:
    """The one line of text in a file, without the line end that editors put behind it; raises `CannotLook`.

    Blanks around it are no part of it, unless they are kept, as those of a password are.
    """
    text = read_text(path)
    secret = text.rstrip("\r\n") if keep_blanks else text.strip()
    if not secret or "\n" in secret or not (keep_blanks or secret.isprintable()):
        raise CannotLook(f"cannot use {path}: expected one line of text")
    return secret


def read_text(path: str) -> str:
    """The file's text, which is UTF-8; raises `CannotLook`."""
    try:
        with open(path, encoding="utf-8-sig") as file:  # some editors put a byte order mark in front
            return file.read(MAX_CHARACTERS)
    except (OSError, ValueError) as error:
        raise CannotLook(f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}") from None
