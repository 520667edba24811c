"""The import of modules out of the executable: from where they lie in it, by a descriptor opened once.

zipimport would cost more than most checks do, and opens the archive by its path for each import: kubelet replaces a
ConfigMap's files at any time, and a check that runs then must end as it began.
"""

# ruff: noqa: S102, S302 - what is unmarshalled and run is this file's own

import sys
from _frozen_importlib import ModuleSpec
from marshal import loads
from posix import dup, pread
from zlib import decompress, decompressobj

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType


def start(descriptor: int, known: tuple) -> None:  # type: ignore[type-arg]
    """Run `hacheck` out of the open file; the words of its command line are what follows its path in `sys.argv`."""
    while descriptor < 3:  # no socket may get the number of a stream that is closed: the verdict is written there
        descriptor = dup(descriptor)
    del sys.argv[:2]
    index, packages, streams, preloaded = known
    carried = Carried(descriptor, index, packages, streams)
    sys.meta_path.insert(0, carried)
    carried.preload(preloaded[""])
    carried.preload(preloaded.get(sys.argv[1] if sys.argv[1:] else "", ()))

    from hachecks.cli import main

    main()


class Carried:
    """Finds the carried modules before any other finder does, and loads them.

    `streams` says by their numbers where streams of compiled modules lie, and where their bases do; the index, which is
    read when it is needed, in which stream each module is, whether it is a package, and where its source lies.
    """

    def __init__(self, descriptor: int, index: "tuple[int, int]", packages: "list[str]", streams: "dict") -> None:  # type: ignore[type-arg]
        self.descriptor = descriptor
        self.index = index
        self.packages = packages
        self.streams = streams
        self.modules: "dict[str, tuple[int, bool, int, int, int]]" = {}  # noqa: UP037 - nothing is of __future__
        self.texts: "dict[int, bytes]" = {}  # noqa: UP037
        self.sources: "list[tuple[int, int]]" = []  # noqa: UP037
        self.codes: "dict[int, dict[str, bytes]]" = {}  # noqa: UP037

    def preload(self, steps: "list[tuple[int, str, bool]]") -> None:
        """Import modules in an order in which none needs a later one, at half of what an import statement costs."""
        for _, name, is_package in steps:
            if is_package:
                module = sys.modules[name] = type(sys)(name)
                module.__package__ = name
                module.__path__ = []
        for stream, name, is_package in steps:
            parent, _, child = name.rpartition(".")
            if is_package:
                module = sys.modules[name]
            else:
                module = sys.modules[name] = type(sys)(name)
                module.__package__ = parent
            code = self.codes_of(stream)[name]
            if code:
                exec(loads(code), module.__dict__)
            if parent:
                setattr(sys.modules[parent], child, module)

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> "ModuleSpec | None":
        """The module's spec, if it is carried."""
        if name.partition(".")[0] not in self.packages:
            return None
        if not self.modules:
            self.sources, self.modules = loads(self.inflated(*self.index))
        if name not in self.modules:
            return None
        return ModuleSpec(name, self, origin=f"hacheck/{name}", is_package=self.modules[name][1])  # type: ignore[arg-type]

    def create_module(self, _spec: ModuleSpec) -> None:
        """The default module will do."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the module's code in it."""
        exec(self.get_code(module.__name__), module.__dict__)

    def get_code(self, name: str) -> "CodeType | str":
        """The module's code: compiled when the file was built, or else now."""
        stream, is_package, group, start, end = self.modules[name]
        code = self.codes_of(stream).get(name)
        if code is not None:
            return loads(code) if code else ""
        path = name.replace(".", "/") + ("/__init__.py" if is_package else ".py")
        if group not in self.texts:
            self.texts[group] = self.inflated(*self.sources[group])
        return compile(self.texts[group][start:end], path, "exec", dont_inherit=True)

    def codes_of(self, stream: int) -> "dict[str, bytes]":
        """What the stream holds: module -> code; nothing where it is not compiled for this version."""
        if stream not in self.codes:
            self.codes[stream] = self.read(*self.streams[stream]) if stream in self.streams else {}
        return self.codes[stream]

    def read(self, at: int, size: int, base: "tuple | None" = None) -> "dict[str, bytes]":  # type: ignore[type-arg]
        """The stream that lies there: deflated as a whole, or each module with its code in the base as dictionary."""
        if base is None:
            return loads(self.inflated(at, size))  # type: ignore[no-any-return]
        known, codes, before = self.read(*base), {}, b""
        for name, delta in loads(pread(self.descriptor, size, at)):
            codes[name] = decompressobj(-15, (before + known.get(name, b""))[-32768:]).decompress(delta)
            before = (before + codes[name])[-32768:]
        return codes

    def inflated(self, at: int, size: int) -> bytes:
        """What lies there deflated."""
        return decompress(pread(self.descriptor, size, at), -15)
