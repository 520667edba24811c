"""What strangers do wrong is told in few lines, and what went wrong here is not hidden behind it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hachecks.exporter import complaints
from hachecks.exporter.complaints import Complaints, LogOfLibrary
from tests.monitors import until

if TYPE_CHECKING:
    import pytest


def test_one_line_is_told_at_once_and_the_rest_in_one_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complaints, "COMPLAINT_INTERVAL", 3.0)
    told: list[str] = []
    strangers = Complaints(told.append)
    for number in range(1000):
        strangers.add("request", f"bad {number}\nTraceback")
    strangers.sum_up()
    assert told == ["bad 0 Traceback"]

    def summed_up() -> bool:
        strangers.sum_up()
        return len(told) > 1

    until(summed_up)
    assert told[1:] == ["bad 999 Traceback; 999 such lines in the last minute"]
    strangers.sum_up()
    assert len(told) == 2


def test_one_kind_does_not_hide_another() -> None:
    told: list[str] = []
    strangers = Complaints(told.append)
    for number in range(10):
        strangers.add("request", f"bad {number}")
    strangers.add("lack", "nobody can connect")
    assert told == ["bad 0", "nobody can connect"]


def test_a_librarys_traceback_is_one_line() -> None:
    told: list[str] = []
    strangers = Complaints(told.append)
    logger = logging.Logger("aiohttp.server")
    logger.addHandler(LogOfLibrary(strangers))
    try:
        raise OSError(24, "Too many open files")
    except OSError:
        logger.exception("Error handling request from %s", "127.0.0.1")
    strangers.of_loop(None, {"message": "Fatal error\non transport", "exception": ValueError("odd\nthing")})
    assert told == ["Error handling request from 127.0.0.1: Too many open files", "Fatal error on transport: odd thing"]
