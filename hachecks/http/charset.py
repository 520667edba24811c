"""The charset of a body, found as browsers do: by its first bytes, by what was declared, by what it looks like."""

from __future__ import annotations

import codecs
import re

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
TEXT = (
    "utf-8",
    "utf-16",
    "utf-32",
    "iso8859",
    "iso2022",
    "cp",
    "koi8",
    "gb",
    "big5",
    "euc_",
    "shift_jis",
    "mac",
    "tis",
)
"""How the names of those begin that are charsets of the web; Python has others, none of which a page may choose."""
SUPERSETS = {"ascii": "cp1252", "iso8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932"}
"""What browsers read in place of a charset: servers say ISO-8859-1, and mean Windows."""
DECLARED = r"(?i);\s*charset\s*=\s*[\"']?([^\s;\"',]+)"
WITHIN = rb"(?i)<meta[^>]+?charset\s*=\s*[\"']?\s*([\w:.-]+)|^\s*<\?xml[^>]+?encoding\s*=\s*[\"']([\w:.-]+)"
"""Both are compiled when a body is looked at: most checks look at none."""
DECLARATION_BYTES = 1024
MAX_LABEL_CHARACTERS = 40


def text_of(body: bytes, content_type: str, *, is_whole: bool) -> str:
    """The body as text, with what is none replaced."""
    for mark, codec in BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(codec, "replace")
    declared = re.search(DECLARED, content_type)
    codec = codec_of(declared[1]) if declared else ""
    codec = codec or _by_looks(body, content_type.partition(";")[0].strip().lower())
    if codec in ("utf-16", "utf-32"):
        codec += "-be" if body[:1] == b"\0" else "-le"
    if codec:
        return body.decode(codec, "replace")
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(
            body, is_whole
        )  # of what was cut off, half a letter is none
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")


def codec_of(label: str) -> str:
    """Python's name for a charset of the web; empty if it is none."""
    if not label.isascii() or len(label) > MAX_LABEL_CHARACTERS:
        return ""
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""
    name = SUPERSETS.get(name, name)
    return name if name.startswith(TEXT) else ""


def _by_looks(body: bytes, media_type: str) -> str:
    if b"\0" in body[:4]:
        from json import detect_encoding

        return detect_encoding(body)
    if media_type.endswith("json"):
        return ""
    label = re.search(WITHIN, body[:DECLARATION_BYTES])
    codec = codec_of((label[1] or label[2]).decode("ascii", "replace")) if label else ""
    return "utf-8" if codec.startswith(("utf-16", "utf-32")) else codec  # it could not have been read, were it so
