"""What came of deliveries can be read afterwards, in two files that do not grow for ever."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hachecks.delivery.delivery_log import DeliveryLog

if TYPE_CHECKING:
    from pathlib import Path


def test_a_line_is_kept_with_its_time_and_passed_on(tmp_path: Path) -> None:
    further: list[str] = []
    DeliveryLog(str(tmp_path), further.append).tell("hook: 200 OK\x1b[31m")
    (line,) = (tmp_path / "deliveries.log").read_text().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} hook: 200 OK\\x1b\[31m", line)
    assert further == ["hook: 200 OK\x1b[31m"]


def test_a_full_log_is_put_aside_once_and_the_one_before_it_is_gone(tmp_path: Path) -> None:
    log = DeliveryLog(str(tmp_path), lambda _: None, closed_at_bytes=100)
    for number in range(1, 10):
        log.tell(f"hook: number {number}, and 60 characters of an answer are more than half of it")
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept.keys() == {"deliveries.log", "deliveries.log.1"}
    numbers = [re.findall(r"number (\d+)", kept[name]) for name in ("deliveries.log.1", "deliveries.log")]
    assert numbers == [["7", "8"], ["9"]]
