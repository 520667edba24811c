"""Commands are read as Keepalived starts them: what the program is, which script it runs, and what needs a shell."""

from __future__ import annotations

import pytest

from hachecks.ipfailover.lint.commands import is_interpreted, is_within, script, shell_word


@pytest.mark.parametrize(
    ("command", "path", "interpreted"),
    [
        ("/etc/keepalive/check.sh a b", "/etc/keepalive/check.sh", False),
        ("sh /etc/keepalive/check.sh", "/etc/keepalive/check.sh", True),
        ("/usr/bin/python3 -u /etc/keepalive/../x.py", "/etc/x.py", True),
        ("/usr/bin/env python3 /x.py", "/x.py", True),
        ("bash -c '</dev/tcp/1.2.3.4/80'", "", True),
        ("/bin/bash -c 'x'", "", True),
        ("/usr/bin/sh", "/usr/bin/sh", True),
        ("pgrep nginx", "", False),
        ("'/a b/c' d", "/a b/c", False),
        ("", "", False),
    ],
)
def test_the_script_of_a_command_is_what_is_run_in_the_end(command: str, path: str, interpreted: bool) -> None:
    assert (script(command), is_interpreted(command)) == (path, interpreted)


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("</dev/tcp/1.2.3.4/80", "</dev/tcp/1.2.3.4/80"),
        ("pgrep x | grep y", "|"),
        ("curl -s http://x/ >/dev/null", ">/dev/null"),
        ("test -f /x && echo", "&&"),
        ("killall -0 x; true", "x;"),
        ("echo $(id)", "$(id)"),
        ("x 2>&1", "2>&1"),
        ("sh -c 'a | b'", ""),
        ("timeout 1 bash -c 'echo $(id) | b'", ""),
        ("curl http://x/?a=1&b=2", ""),
        ("hacheck sql --expect '> 3'", ""),
        ('hacheck http http://x/ --json ".a | length >= 3"', ""),
        (r"grep \| /x", ""),
    ],
)
def test_a_word_of_a_shell_is_found_where_there_is_none(command: str, word: str) -> None:
    assert shell_word(command) == word


def test_a_path_is_within_a_directory_and_not_within_one_that_begins_alike() -> None:
    assert is_within("/etc/keepalive/x", {"/etc/keepalive"})
    assert not is_within("/etc/keepalived/x", {"/etc/keepalive"})
    assert not is_within("/etc/keepalive", {"/etc/keepalive/"})
