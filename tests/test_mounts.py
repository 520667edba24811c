"""The kind of a file system is what findmnt(8) says of it, also where one is mounted upon another."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hachecks.mounts import file_system, file_system_of


def findmnt(directory: str) -> str:
    asked = ["findmnt", "--noheadings", "--first-only", "--output", "FSTYPE", "--target", directory]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("directory", ["/", "/dev/shm", "/proc", "/proc/self", "/sys", str(Path(__file__).parent)])
def test_it_is_what_findmnt_says(directory: str) -> None:
    assert file_system(directory) == findmnt(directory) != ""


def test_a_link_is_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc")
    assert file_system(str(tmp_path / "link")) == "proc"


@pytest.mark.parametrize("path", ["/nowhere", "/etc/passwd"])
def test_of_what_is_no_directory_nothing_is_told(path: str) -> None:
    assert file_system(path) == ""


def test_another_processs_mounts_are_known_by_its_root() -> None:
    script = "mount -t tmpfs tmpfs /mnt && mount -t ramfs ramfs /mnt && echo && read -r _"
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"\n"
        descriptor = os.open(f"/proc/{other.pid}/root/mnt", os.O_PATH)
        try:
            assert file_system_of(descriptor) == ""
            assert file_system_of(descriptor, other.pid) == "ramfs"
        finally:
            os.close(descriptor)
            other.communicate(b"\n")
