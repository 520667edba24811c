"""Bodies in the charsets that servers send, which browsers show as they were meant."""

from __future__ import annotations

import codecs
import encodings.aliases

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.http.charset import codec_of, text_of

TEXT = "Dienst verfügbar"
HTML = "text/html"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(TEXT.encode(), HTML, id="utf-8-undeclared"),
        pytest.param(TEXT.encode(), "", id="no-content-type"),
        pytest.param(TEXT.encode("latin-1"), "text/html; charset=iso-8859-1", id="latin-1"),
        pytest.param(TEXT.encode("latin-1"), 'text/html;Charset="ISO-8859-1"', id="quoted-and-in-capitals"),
        pytest.param(TEXT.encode("latin-1"), "text/html; charset = 'latin1' ; x=y", id="blanks-and-another-parameter"),
        pytest.param(TEXT.encode("latin-1"), "text/html; charset=us-ascii", id="ascii-that-is-none"),
        pytest.param(TEXT.encode("latin-1"), HTML, id="latin-1-undeclared"),
        pytest.param(TEXT.encode("latin-1"), "text/plain; charset=x-user-defined", id="unknown-and-not-utf-8"),
        pytest.param(TEXT.encode(), "text/plain; charset=bogus", id="unknown-and-utf-8"),
        pytest.param(TEXT.encode(), "text/plain; charset=", id="declared-as-nothing"),
        pytest.param(TEXT.encode("utf-16"), HTML, id="utf-16-by-its-mark"),
        pytest.param(codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), HTML, id="the-other-utf-16-by-its-mark"),
        pytest.param(TEXT.encode("utf-16-le"), "text/html; charset=utf-16le", id="utf-16-by-its-name"),
        pytest.param(TEXT.encode("utf-16-le"), "text/html; charset=utf-16", id="utf-16-without-a-mark"),
        pytest.param(TEXT.encode("utf-16-be"), "text/html; charset=utf-16", id="the-other-utf-16-without-a-mark"),
        pytest.param(TEXT.encode("utf-32"), HTML, id="utf-32-by-its-mark"),
        pytest.param(codecs.BOM_UTF8 + TEXT.encode(), HTML, id="utf-8-by-its-mark"),
        pytest.param(
            codecs.BOM_UTF8 + TEXT.encode(),
            "text/html; charset=iso-8859-1",
            id="a-mark-counts-more-than-what-is-declared",
        ),
        pytest.param(TEXT.encode("cp1252"), "text/html; charset=windows-1252", id="windows"),
        pytest.param(TEXT.encode("iso8859-15"), "text/html; charset=iso-8859-15", id="latin-9"),
    ],
)
def test_body_is_read_as_it_was_meant(body: bytes, content_type: str) -> None:
    assert text_of(body, content_type, is_whole=True) == TEXT


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        *(("koi8-r", "Привет"), ("windows-1251", "Привет"), ("shift_jis", "こんにちは"), ("euc-jp", "こんにちは")),
        *(("iso-2022-jp", "こんにちは"), ("gb2312", "你好"), ("gbk", "你好"), ("big5", "你好"), ("euc-kr", "안녕")),
        *(("macintosh", "Größe"), ("ibm866", "Привет"), ("tis-620", "สวัสดี"), ("iso-8859-7", "Γειά")),
    ],
)
def test_charsets_of_the_web_are_known(charset: str, text: str) -> None:
    assert text_of(text.encode(charset), f"text/html; charset={charset}", is_whole=True) == text


@pytest.mark.parametrize(
    "head",
    [
        '<!doctype html><meta charset="iso-8859-1">',
        "<html><head><META http-equiv='Content-Type' content='text/html; charset=ISO-8859-1'>",
        '<?xml version="1.0" encoding="ISO-8859-1"?>',
    ],
)
def test_page_may_say_its_charset_itself(head: str) -> None:
    body = f"{head}{TEXT} €".encode("cp1252")
    assert text_of(body, HTML, is_whole=True).endswith(f"{TEXT} €")


def test_page_that_could_be_read_is_not_in_utf_16() -> None:
    page = f'<meta charset="utf-16">{TEXT}'
    assert text_of(page.encode(), HTML, is_whole=True) == page


def test_json_is_told_from_its_zeros() -> None:
    for charset in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        assert text_of('{"a": "ü"}'.encode(charset), "application/json", is_whole=True) == '{"a": "ü"}'


def test_letter_that_was_cut_off_makes_no_other_charset() -> None:
    assert text_of("verfü".encode()[:-1], HTML, is_whole=False) == "verf"
    assert text_of("verfü".encode()[:-1], HTML, is_whole=True) == "verfÃ"


@pytest.mark.parametrize(
    "label", ["zip", "rot13", "base64", "hex", "idna", "punycode", "undefined", "unicode_escape", "utf-7", "mbcs", "\0"]
)
def test_page_cannot_choose_what_is_no_charset_of_the_web(label: str) -> None:
    assert codec_of(label) == ""


@given(st.binary(max_size=40), st.text(max_size=12) | st.sampled_from(sorted(encodings.aliases.aliases)))
def test_any_body_is_text_in_whatever_it_is_declared(body: bytes, label: str) -> None:
    assert isinstance(text_of(body, f"text/html; charset={label}", is_whole=True), str)
    assert isinstance(text_of(body + f"<meta charset={label}>".encode(), HTML, is_whole=False), str)
