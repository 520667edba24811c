"""The stand-ins that the executable carries do what the modules do for which they stand."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.executable.compiler import engine_arguments
from hachecks.executable.lean import Late, collections, logging, threading, typing
from hachecks.executable.lean import contextlib as lean_contextlib
from hachecks.executable.lean import dataclasses as lean_dataclasses
from hachecks.executable.lean import os as lean_os
from hachecks.executable.lean import re as lean_re
from hachecks.executable.substitutes import substituted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

paths = st.text("/a.", max_size=8)


@given(paths, paths, paths)
def test_paths_are_joined_as_posixpath_joins_them(one: str, two: str, three: str) -> None:
    assert lean_os.path.join(one, two) == posixpath.join(one, two)
    assert lean_os.path.join(one, two, three) == posixpath.join(one, two, three)


@given(paths)
def test_a_path_is_in_the_directory_that_posixpath_says(path: str) -> None:
    assert lean_os.path.dirname(path) == posixpath.dirname(path)


def test_what_is_at_a_path_is_seen_as_posixpath_sees_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "to directory").symlink_to(tmp_path)
    (tmp_path / "to nothing").symlink_to(tmp_path / "nothing")
    for name in (".", "file", "to directory", "to nothing", "nothing", "a\0b"):
        path = f"{tmp_path}/{name}"
        assert lean_os.path.isdir(path) == posixpath.isdir(path)
        assert lean_os.path.lexists(path) == posixpath.lexists(path)


def test_directories_are_made_as_os_makes_them(tmp_path: Path) -> None:
    lean_os.makedirs(f"{tmp_path}/a/b/c")
    lean_os.makedirs(f"{tmp_path}/a/b/c", exist_ok=True)
    with pytest.raises(FileExistsError):
        lean_os.makedirs(f"{tmp_path}/a/b/c")
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        lean_os.makedirs(f"{tmp_path}/file", exist_ok=True)
    assert (tmp_path / "a/b/c").is_dir()


def test_os_has_the_functions_of_posix_and_the_rest_of_its_own() -> None:
    assert lean_os.open is os.open
    assert lean_os._exit is os._exit  # type: ignore[attr-defined]
    assert lean_os.fsencode is os.fsencode
    assert lean_os.path.basename("/a/b") == "b"
    assert lean_os.devnull == os.devnull


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(re.compile(rb"HTTP/(?P<version>[0-9]\.[0-9]) (?P<status>[0-9]{3})(?: (.*))?"), id="bytes"),
        pytest.param(re.compile(r"(?i)(a|ä)+\s*(?P<end>\d{2,4})$", re.MULTILINE), id="text"),
    ],
)
@given(data=st.data())
def test_a_pattern_made_ready_matches_as_it_did(pattern: re.Pattern[Any], data: st.DataObject) -> None:
    ready = lean_re.ready(*engine_arguments(pattern))
    text = data.draw(st.from_regex(pattern) | st.from_regex(pattern).map(lambda one: one[1:]))
    was, now = pattern.search(text), ready.search(text)
    assert (was and (was.span(), was.groupdict(), was.groups())) == (
        now and (now.span(), now.groupdict(), now.groups())
    )
    assert (ready.pattern, ready.flags, ready.groups) == (pattern.pattern, pattern.flags, pattern.groups)


def test_a_pattern_made_for_another_engine_is_compiled_anew() -> None:
    magic, *rest = engine_arguments(re.compile("a+(?P<b>b)"))
    rest[2] = b"\0" * len(rest[2])
    match = lean_re.ready(magic + 1, *rest).fullmatch("aab")
    assert match is not None
    assert match["b"] == "b"


def test_re_has_the_rest_of_its_own() -> None:
    assert lean_re.escape("a.b") == r"a\.b"
    assert lean_re.compile("a") is re.compile("a")


@pytest.mark.parametrize("make", [contextlib.contextmanager, lean_contextlib.contextmanager], ids=["theirs", "ours"])
def test_a_generator_translates_and_passes_on_errors(make: Callable[..., Callable[..., Any]]) -> None:
    @make
    def translating() -> Iterator[int]:
        try:
            yield 1
        except KeyError:
            raise LookupError("translated") from None
        except ZeroDivisionError:
            pass

    with translating() as one:
        assert one == 1
    with translating():
        raise ZeroDivisionError
    with pytest.raises(LookupError, match="translated"), translating():
        raise KeyError
    error = ValueError("as it is")
    with pytest.raises(ValueError, match="as it is") as caught, translating():
        raise error
    assert caught.value is error


def test_a_lean_value_class_is_frozen_and_compared_by_its_values() -> None:
    @lean_dataclasses.dataclass(init=False, frozen=True)
    class Event:
        name: str

        def __init__(self, name: str) -> None:
            object.__setattr__(self, "name", name)

    @lean_dataclasses.dataclass(init=False, frozen=True)
    class Other(Event):
        pass

    one: Any = Event("a")
    assert (one == Event("a"), one == Event("b"), one == Other("a")) == (True, False, False)
    assert repr(one).endswith("Event(name='a')")
    with pytest.raises(AttributeError):
        one.name = "b"


def test_a_late_module_is_imported_when_it_is_used() -> None:
    late = Late("xml.sax.saxutils")
    assert late.sax.saxutils.escape("<") == "&lt;"
    with pytest.raises(ImportError):
        _ = Late("no_such_module").anything


def test_the_others_have_what_is_asked_of_them() -> None:
    assert collections.Counter("aab").most_common(1) == [("a", 2)]
    assert not logging.getLogger("a.b").isEnabledFor(logging.DEBUG)
    assert threading.Event().is_set() is False
    assert isinstance([], typing.Sequence)  # type: ignore[arg-type]
    assert typing.Dict[typing.Any, typing.Optional[typing.Type]] is not None  # type: ignore[index]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("import os\n", "import lean.os as os\n", id="stand-in"),
        pytest.param("import os.path\n", "import os.path\n", id="dotted"),
        pytest.param("import struct; a = 1\n", "import _struct as struct; a = 1\n", id="more on the line"),
        pytest.param(
            "import ssl\ndef f():\n    ssl.a()\n",
            'from lean import Late; ssl = Late("ssl")\ndef f():\n    ssl.a()\n',
            id="late",
        ),
        pytest.param("import ssl\nA = ssl.a\n", "import ssl\nA = ssl.a\n", id="used at once"),
        pytest.param("import ssl\nclass A(ssl.B): pass\n", "import ssl\nclass A(ssl.B): pass\n", id="base class"),
        pytest.param(
            "try:\n    import re\nexcept A: pass\n", "try:\n    import lean.re as re\nexcept A: pass\n", id="nested"
        ),
        pytest.param("from collections import (\n deque)\n", "from lean.collections import (\n deque)\n", id="from"),
        pytest.param("def f():\n    import os\n", "def f():\n    import os\n", id="in a function"),
    ],
)
def test_dear_imports_are_replaced_where_they_stand(source: str, expected: str) -> None:
    assert substituted("hachecks.a", source.encode()).decode() == expected
