"""HPACK's Huffman code (RFC 7541, appendix B), carried in the place of hpack's own table.

That one has 4,096 steps and takes 13 KB of the file, and as much again for each version that it is compiled for. A
check reads a few header fields, for which the codes themselves are soon looked up.
"""

from __future__ import annotations

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

SHORTEST, LONGEST, END = 5, 30, 256
SYMBOLS = {f"{code:0{size}b}": symbol for symbol, (code, size) in enumerate(zip(REQUEST_CODES, REQUEST_CODES_LENGTH))}


def decode_huffman(huffman_string: bytes | bytearray | None) -> bytes:
    """The text; raises `HPACKDecodingError`."""
    data = bytes(huffman_string or b"")
    bits = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}" if data else ""
    found = bytearray()
    at = 0
    while at < len(bits):
        size = next((size for size in range(SHORTEST, LONGEST + 1) if bits[at : at + size] in SYMBOLS), 0)
        symbol = SYMBOLS.get(bits[at : at + size], END)
        if symbol == END:
            break
        found.append(symbol)
        at += size
    padding = bits[at:]
    if len(padding) >= 8 or "0" in padding:
        raise HPACKDecodingError("Invalid Huffman string")
    return bytes(found)
