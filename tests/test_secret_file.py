"""A secret is one line of a file; who may not have it learns the file's name, and no letter of what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hachecks.secret_file import read_secret, read_text
from hachecks.verdict import CannotLook

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("data", "token", "password"),
    [
        pytest.param(b"hush", "hush", "hush", id="plain"),
        pytest.param(b"hush\r\n", "hush", "hush", id="line-end"),
        pytest.param(b" hush \n\n", "hush", " hush ", id="blanks"),
        pytest.param(b"\xef\xbb\xbfhush\n", "hush", "hush", id="byte-order-mark"),
        pytest.param("hüsch hüsch".encode(), "hüsch hüsch", "hüsch hüsch", id="words"),
    ],
)
def test_a_secret_is_the_line_and_a_password_keeps_its_blanks(
    tmp_path: Path, data: bytes, token: str, password: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    assert read_secret(str(file)) == token
    assert read_secret(str(file), keep_blanks=True) == password


@pytest.mark.parametrize("keep_blanks", [False, True])
@pytest.mark.parametrize("data", [b"", b"\n\n", b"s3cret\ntwo\n"])
def test_anything_but_one_line_is_refused_and_not_shown(tmp_path: Path, data: bytes, keep_blanks: bool) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    with pytest.raises(CannotLook) as caught:
        read_secret(str(file), keep_blanks=keep_blanks)
    assert str(caught.value) == f"cannot use {file}: expected one line of text"


def test_a_token_with_a_control_character_would_be_two_headers_and_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"s3cret\0x")
    with pytest.raises(CannotLook, match="expected one line of text"):
        read_secret(str(file))


def test_a_file_without_an_end_is_read_no_further_than_a_secret_may_go() -> None:
    assert len(read_text("/dev/zero")) == 2**20


@pytest.mark.parametrize(
    ("name", "why"),
    [("absent", "No such file or directory"), ("binary", "it is not UTF-8 text"), ("", "Is a directory")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "binary").write_bytes(b"s3cret\xff")
    with pytest.raises(CannotLook) as caught:
        read_text(f"{tmp_path}/{name}")
    assert str(caught.value) == f"cannot read {tmp_path}/{name}: {why}"
