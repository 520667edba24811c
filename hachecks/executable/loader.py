"""How are modules imported out of the one file? From where they lie in it, by a descriptor opened once.

zipimport would cost more than most checks do, and opens the archive by its path for each import: kubelet replaces a
ConfigMap's files at any time, and a check that runs then must end as it began.
"""

# ruff: noqa: S302 - what is unmarshalled is this file's own

import sys
from _frozen_importlib import ModuleSpec
from marshal import loads
from posix import dup, pread
from zlib import decompress, decompressobj

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import FileIO
    from types import CodeType, ModuleType


def start(file: "FileIO", index: "tuple[int, int]") -> None:
    """Run `hacheck` out of the open file, whose index lies there; the words are what follows its path in `sys.argv`."""
    descriptor = file.fileno()
    while descriptor < 3:  # no socket may get the number of a stream that is closed: the verdict is written there
        descriptor = dup(descriptor)
    sys.meta_path.insert(0, Carried(descriptor, index))
    del sys.argv[:2]

    from hachecks.cli import main

    main()


class Carried:
    """Finds the carried modules before any other finder does, and loads them.

    `streams` says where each stream lies and, if it has one, where its base does; `modules` in which stream each module
    is, from where and to where, and whether it is a package.
    """

    streams: "dict[str, tuple[int, int, int, int]]"
    modules: "dict[str, tuple[str, int, int, bool]]"

    def __init__(self, descriptor: int, index: "tuple[int, int]") -> None:
        self.descriptor = descriptor
        self.streams, self.modules = loads(self.inflated(*index))
        self.texts: "dict[str, bytes]" = {}  # noqa: UP037 - not evaluated, and nothing from __future__ is imported

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> "ModuleSpec | None":
        """The module's spec, if it is carried."""
        if name not in self.modules:
            return None
        stream, _, _, package = self.modules[name]
        return ModuleSpec(name, self, origin=f"hacheck/{stream}", is_package=package)  # type: ignore[arg-type]

    def create_module(self, _spec: ModuleSpec) -> None:
        """The default module will do."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the module's code in it."""
        exec(self.get_code(module.__name__), module.__dict__)  # noqa: S102 - this is what importing is

    def get_code(self, name: str) -> "CodeType":
        """The module's code: compiled when the file was built, or else now."""
        stream, start, end, _ = self.modules[name]
        if stream not in self.texts:
            self.texts[stream] = self.text(stream)
        text = self.texts[stream][start:end]
        code: CodeType = compile(text, stream, "exec", dont_inherit=True) if stream.endswith(".py") else loads(text)
        return code

    def text(self, stream: str) -> bytes:
        """What the stream holds."""
        at, size, base_at, base_size = self.streams[stream]
        if not base_size:
            return self.inflated(at, size)
        base, text = self.inflated(base_at, base_size), b""
        for start, end, delta in loads(pread(self.descriptor, size, at)):
            text += decompressobj(-15, (text + base[start:end])[-32768:]).decompress(delta)
        return text

    def inflated(self, at: int, size: int) -> bytes:
        """What lies there deflated."""
        return decompress(pread(self.descriptor, size, at), -15)
