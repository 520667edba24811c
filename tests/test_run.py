"""The tests are run as they ask for: who shares something dear is run by one worker."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TESTS = """
import os, pathlib, pytest

@pytest.mark.parametrize("number", range(12))
@pytest.mark.xdist_group("one")
def test_that_belongs_to_a_group(number):
    pathlib.Path(f"{os.environ['PYTEST_XDIST_WORKER']}-{number}").touch()
"""


def test_a_group_is_run_by_one_worker(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    how = ["-p", "no:cacheprovider", "-n", "3", "--dist", "loadgroup", "--no-loadscope-reorder"]
    subprocess.run([sys.executable, "-m", "pytest", *how], cwd=tmp_path, check=True, capture_output=True)
    ran = [path.name.partition("-") for path in tmp_path.glob("gw*")]
    assert len(ran) == 12
    assert len({worker for worker, _, _ in ran}) == 1
