"""`hacheck drain` and `undrain` on a node without Keepalived: what they keep, say and refuse."""

from __future__ import annotations

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from hachecks.drain import state
from hachecks.drain.fallback import put_there_at_the_end
from tests.cli import hacheck
from tests.drain.confs import conf_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli import Answer


def run(directory: Path, *words: str, **environ: str) -> Answer:
    conf = str(directory / "keepalived.conf")
    return hacheck(*words, "--keepalived-config", conf, "--state-dir", directory / "state", **environ)  # type: ignore[arg-type]


def test_a_drain_is_kept_with_who_wants_it_until_when_and_why(tmp_path: Path) -> None:
    conf_in(tmp_path)
    done = run(tmp_path, "drain", "--until", "2h", "--reason", "a disk\nis changed", SUDO_USER="jo")
    assert (done.code, done.out) == (0, "no VIP is here\n")
    assert "no agent runs here to end the drain at " in done.err
    drain = state.look(str(tmp_path / "drain"))
    assert drain
    assert drain.until
    assert (drain.number, drain.by, drain.reason) == (1, "jo", "a disk is changed")
    assert abs(drain.until - time.time() - 7200) < 60
    assert oct((tmp_path / "drain").stat().st_mode & 0o777) == "0o644"


def test_draining_twice_and_undraining_twice_are_no_mistakes(tmp_path: Path) -> None:
    conf_in(tmp_path)
    assert run(tmp_path, "undrain").out == "the node is not drained\n"
    assert run(tmp_path, "drain", "--reason", "x").code == 0
    before = state.look(str(tmp_path / "drain"))
    again = run(tmp_path, "drain")
    assert (again.code, again.out) == (0, f"already: {before}\nno VIP is here\n")
    assert state.look(str(tmp_path / "drain")) == before
    longer = run(tmp_path, "drain", "--until", "1h", "--reason", "y")
    now = state.look(str(tmp_path / "drain"))
    assert now
    assert before
    assert longer.out == f"the node is {before} already; it is {now} now\nno VIP is here\n"
    assert (now.since, now.reason) == (before.since, "y")
    done = run(tmp_path, "undrain")
    assert (done.code, done.out) == (0, f"the node is drained no more; it was {now}\n")
    assert (tmp_path / "drain").read_text() == "0\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")
@pytest.mark.parametrize("drained", [False, True])
def test_where_nothing_can_be_written_nothing_is_said_to_be_done(tmp_path: Path, drained: bool) -> None:
    conf_in(tmp_path)
    if drained:
        assert run(tmp_path, "drain").code == 0
    before = state.look(str(tmp_path / "drain"))
    subprocess.run(["mount", "--bind", tmp_path, tmp_path], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", tmp_path], check=True)
        left = f"the node is as it was, {before}" if drained else "nothing is drained"
        told = f"hacheck: {tmp_path}/drain~new: Read-only file system; "
        assert run(tmp_path, "drain", "--until", "1h") == (2, "", f"{told}{left}\n")
        if drained:
            assert run(tmp_path, "undrain") == (2, "", f"{told}the node is still drained\n")
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)
    assert state.look(str(tmp_path / "drain")) == before


def test_several_that_drain_at_once_all_do(tmp_path: Path) -> None:
    conf_in(tmp_path)
    reasons = [letter * 30 * (place + 1) for place, letter in enumerate("abcd")]
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda reason: run(tmp_path, "drain", "--reason", reason), reasons))
    assert [(answer.code, answer.err) for answer in answers] == [(0, "")] * len(reasons)
    drain = state.look(str(tmp_path / "drain"))
    assert drain
    assert drain.reason in reasons


def test_the_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    conf_in(tmp_path)
    done = run(tmp_path, "drain", HACHECK_DRAIN_FILE="/elsewhere/drain")
    assert (done.code, done.out) == (2, "")
    assert "/elsewhere/drain is the file of no track_file" in done.err


@pytest.mark.parametrize("until", ["soon", "0", "-1h", "2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "9999d"])
def test_a_time_that_is_none_is_refused(tmp_path: Path, until: str) -> None:
    conf_in(tmp_path)
    done = run(tmp_path, "drain", f"--until={until}")
    assert (done.code, done.out) == (2, "")
    assert not (tmp_path / "drain").exists()


def test_an_instant_is_a_time_too(tmp_path: Path) -> None:
    conf_in(tmp_path)
    until = state.instant(time.time() + 3600)
    assert run(tmp_path, "drain", "--until", until).code == 0
    assert f" until {until} by " in (tmp_path / "drain").read_text()


def _link(path: Path) -> None:
    (path.parent / "other").write_text("0\n")
    path.symlink_to(path.parent / "other")


def _shared(path: Path) -> None:
    path.parent.chmod(0o1777)


def _gone(path: Path) -> None:
    (path.parent / "moved").write_text(path.with_name("keepalived.conf").read_text().replace('/drain"', '/no/drain"'))
    (path.parent / "moved").rename(path.with_name("keepalived.conf"))


def _of_others(path: Path) -> None:
    path.write_text("0\n")
    os.chown(path, 12345, 12345)


def _writable(path: Path) -> None:
    path.write_text("0\n")
    path.chmod(0o666)


def _in_proc(path: Path) -> None:
    conf = path.with_name("keepalived.conf")
    conf.write_text(conf.read_text().replace(str(path), "/proc/self/drain"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files to others")
@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(_link, "is a link, which Keepalived followed once", id="link"),
        pytest.param(os.mkdir, "is no plain file", id="directory"),
        pytest.param(_shared, "others can write it, and drain the node", id="shared"),
        pytest.param(_gone, "/no: No such file or directory; make it, and start Keepalived again", id="gone"),
        pytest.param(_of_others, "belongs to uid 12345; remove it, or give it to root", id="anothers"),
        pytest.param(_writable, "others than its owner can write it; remove it, and try again", id="writable"),
        pytest.param(_in_proc, "is on proc, where Keepalived hears of no change", id="not-watched"),
    ],
)
@pytest.mark.parametrize("command", ["drain", "undrain"])
def test_a_place_that_cannot_be_is_told_in_one_line(tmp_path: Path, command: str, spoil: object, told: str) -> None:
    conf_in(tmp_path)
    spoil(tmp_path / "drain")  # type: ignore[operator]
    done = run(tmp_path, command)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert len(done.err.splitlines()) == 1


def test_a_fresh_directory_that_all_may_write_is_closed_to_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    conf_in(tmp_path)
    assert run(tmp_path, "drain").code == 0
    assert tmp_path.stat().st_mode & 0o022 == 0


def test_what_is_to_be_there_at_the_end_is_there_though_the_block_fails(tmp_path: Path) -> None:
    path = tmp_path / "drain"
    with suppress(RuntimeError), put_there_at_the_end(str(path), "1 # then\n"):
        path.write_text("254\n")
        raise RuntimeError
    assert path.read_text() == "1 # then\n"
    assert [one.name for one in tmp_path.iterdir()] == ["drain"]
