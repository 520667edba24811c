"""The Huffman code that the executable carries says what hpack's own says, of any bytes."""

from __future__ import annotations

import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman as theirs
from hypothesis import given
from hypothesis import strategies as st

from hachecks.executable.lean.huffman_table import decode_huffman

ENCODER = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


@given(st.binary(max_size=100))
def test_what_was_encoded_is_decoded(text: bytes) -> None:
    assert decode_huffman(ENCODER.encode(text)) == text


@given(st.binary(max_size=12))
def test_any_bytes_are_decoded_or_refused_as_hpack_does(data: bytes) -> None:
    try:
        expected = theirs(data)
    except HPACKDecodingError:
        with pytest.raises(HPACKDecodingError):
            decode_huffman(data)
    else:
        assert decode_huffman(data) == expected


@pytest.mark.parametrize("size", range(9))
def test_padding_is_short_and_of_ones(size: int) -> None:
    whole = ENCODER.encode(b"0000")  # 20 bits and 4 of padding
    assert decode_huffman(whole) == b"0000"
    data = whole + b"\xff" * size
    if size:
        with pytest.raises(HPACKDecodingError):
            decode_huffman(data)
