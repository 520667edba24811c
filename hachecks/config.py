"""hacheck.toml: its tables declare checks and notifiers, and whatever it should not say is an error."""

from __future__ import annotations

import difflib
import sys

from hachecks.checks.composition import Composition, Member
from hachecks.checks.runner import RunOptions
from hachecks.checks.schedule import Schedule
from hachecks.checks.streak import StreakFiles
from hachecks.registry import PROBES
from hachecks.settings import Invalid, build, settings_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from hachecks.checks.runner import Memory
    from hachecks.probes import Probe

COMPOSING = ("all", "any")
DEEPEST = 16
MOST = 256
"""Checks that one run may ask: three dozen lines can name each other a million times."""
LARGEST = 4 * 1024 * 1024
"""Bytes that are read at most: four times as much as a ConfigMap takes."""
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


class Configuration:
    """The checks and notifiers of one file, as tables; each is built when it is asked for."""

    def __init__(
        self,
        path: str,
        tables: Mapping[str, Mapping[str, Any]],
        notifiers: Mapping[str, Mapping[str, Any]],
        memory: Memory | None,
    ) -> None:
        self.path = path
        self.tables = tables
        self.notifiers = notifiers
        self.memory = memory
        self.asked = 0

    @classmethod
    def read(cls, path: str, memory: Memory | None = None) -> Configuration:
        """Read the file; raises `Invalid`. `memory` is where the members of compositions have their streaks."""
        document = read_toml(path)
        refuse_unknown(path, document, ["check", "notifier"])
        return cls(path, named_tables(path, document, "check"), named_tables(path, document, "notifier"), memory)

    def build(
        self, name: str, flags: Mapping[str, Any], environ: Mapping[str, str], within: tuple[str, ...] = ()
    ) -> tuple[Probe, RunOptions]:
        """A check's probe and how it is run; raises `Invalid`."""
        self._refuse_what_has_no_end(name, within)
        table = self.tables.get(name)
        if table is None:
            where = f" in [check.{within[-1]}]" if within else ""
            raise Invalid(f"{self.path}: no check {name}{where}{nearest(name, self.tables)}")
        where = f"{self.path}: [check.{name}]"
        if len([key for key in ("probe", *COMPOSING) if key in table]) != 1:
            raise Invalid(f'{where}: needs one of probe = "…", all = […] or any = […]')
        if "state_dir" in table:
            raise Invalid(
                f"{where}: state_dir is the node's, where notifications and the exporter look as well; "
                "set it by --state-dir or HACHECK_STATE_DIR"
            )
        options = build(RunOptions, name, flags, environ, table, where)
        if "probe" in table:
            return self._probe(where, table, environ), options
        return self._composition(where, name, table, options, environ, within), options

    def schedule(self, name: str) -> Schedule:
        """How the agent runs a check; raises `Invalid`."""
        schedule: Schedule = build(Schedule, name, {}, {}, self.tables[name], f"{self.path}: [check.{name}]")
        return schedule

    def _refuse_what_has_no_end(self, name: str, within: tuple[str, ...]) -> None:
        self.asked = self.asked + 1 if within else 1
        if name in within:
            raise Invalid(f"{self.path}: {' -> '.join([*within, name])}: a check cannot contain itself")
        if len(within) > DEEPEST:
            raise Invalid(f"{self.path}: [check.{within[0]}]: checks in checks go {DEEPEST} deep at most")
        if self.asked > MOST:
            raise Invalid(f"{self.path}: [check.{within[0]}]: a check asks {MOST} others at most, nested ones included")

    def _probe(self, where: str, table: Mapping[str, Any], environ: Mapping[str, str]) -> Probe:
        kind = str(table["probe"])
        if kind not in PROBES:
            raise Invalid(f"{where}: no probe {kind}{nearest(kind, PROBES)}")
        probe_class = PROBES[kind].load()
        refuse_unknown(where, table, ["probe", *names_of(RunOptions, Schedule, probe_class)])
        probe: Probe = build(probe_class, kind, {}, environ, table, where)
        return probe

    def _composition(
        self,
        where: str,
        name: str,
        table: Mapping[str, Any],
        options: RunOptions,
        environ: Mapping[str, str],
        within: tuple[str, ...],
    ) -> Composition:
        refuse_unknown(where, table, [*COMPOSING, "at_least", *names_of(RunOptions, Schedule)])
        key = "all" if "all" in table else "any"
        names = table[key]
        if not isinstance(names, list) or not names or not all(isinstance(member, str) for member in names):
            raise Invalid(f'{where}: {key} takes names of checks: {key} = ["one", "two"]')
        if len(set(names)) != len(names):
            raise Invalid(f"{where}: {key} names a check twice")
        needed = table.get("at_least", 1) if key == "any" else len(names)
        if "at_least" in table and (key == "all" or type(needed) is not int or not 1 <= needed <= len(names)):
            raise Invalid(f"{where}: at_least goes with any and is a number from 1 to {len(names)}")
        # A member is run when the composition is.
        handed_on = {"interval": options.interval} if options.interval is not None else {}
        members = [Member(member, *self.build(member, handed_on, environ, (*within, name))) for member in names]
        return Composition(name, members, needed, self.memory)

    def rows(self, environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
        """Name, kind and subject of every check; raises `Invalid` at the first that cannot be built."""
        rows = []
        for name, table in self.tables.items():
            probe, _ = self.build(name, {}, environ)
            rows.append((name, str(table.get("probe") or next(k for k in COMPOSING if k in table)), probe.subject))
        return rows


def named_check(
    name: str, path: str, flags: Mapping[str, Any], environ: Mapping[str, str], state_dir: str
) -> tuple[Probe, RunOptions, Schedule]:
    """The probe and options of `[check.NAME]` in the file; raises `Invalid`."""
    configuration = Configuration.read(path, StreakFiles(state_dir))
    return *configuration.build(name, flags, environ), configuration.schedule(name)


def read_toml(path: str) -> Mapping[str, Any]:
    """The document; raises `Invalid`."""
    data = _read(path)
    try:
        text = data.decode()
        return tomllib.loads(text.removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        raise Invalid(f"{path}: byte {error.start + 1} is not UTF-8; save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{path}: {error}") from None
    except (RecursionError, ValueError):
        raise Invalid(f"{path}: it has a number that is too long, or is nested too deeply") from None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}; name the file with --config or HACHECK_CONFIG") from None
    if len(data) > LARGEST:
        raise Invalid(f"{path}: it is larger than {LARGEST >> 20} MiB; name the file with --config or HACHECK_CONFIG")
    return data


def named_tables(path: str, document: Mapping[str, Any], kind: str) -> Mapping[str, Mapping[str, Any]]:
    """The tables `[KIND.NAME]` of a document; raises `Invalid`."""
    tables: Mapping[str, Mapping[str, Any]] = document.get(kind, {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise Invalid(f"{path}: {kind}s are tables; write [{kind}.NAME]")
    for name in tables:
        if not name or not LETTERS.issuperset(name):
            raise Invalid(f"{path}: [{kind}.{name}]: a name has letters, digits, - and _ only")
    return tables


def names_of(*classes: type) -> list[str]:
    """The names of all settings of these classes."""
    return [setting.name for cls in classes for setting in settings_of(cls)]


def refuse_unknown(where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raise `Invalid` at a key that nobody declared, with the nearest one that somebody did."""
    known = list(known)
    for key in table:
        if key not in known:
            raise Invalid(f"{where}: unknown key {key}{nearest(key, known)}")


def nearest(word: str, words: Iterable[str]) -> str:
    """`; did you mean X?` if there is such an X."""
    close = difflib.get_close_matches(word, list(words), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""
