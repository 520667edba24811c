"""`python -m hachecks.executable.build` makes `dist/hacheck`: the same bytes every time, and room left in 1 MiB."""

from __future__ import annotations

import argparse
import sys
from importlib.resources import files
from pathlib import Path

from hachecks import __version__
from hachecks.checks import answer
from hachecks.executable import modules
from hachecks.executable.archive import Contents
from hachecks.executable.choice import Choice
from hachecks.executable.streams import preloaded, streams
from hachecks.executable.wheels import Wheels
from hachecks.node import CONFIG_FILE
from hachecks.transitions.transition import WORDS

LIMIT = 1024 * 1024
"""What a ConfigMap takes, in bytes."""

RESERVE = 40 * 1024
"""Bytes of that for hacheck.toml, which lives in the same ConfigMap, and for what the next version carries."""


def main() -> None:
    """Build the executable, and print what it carries."""
    parser = argparse.ArgumentParser(prog="python -m hachecks.executable.build", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("dist/hacheck"))
    parser.add_argument("--wheels", type=Path, default=Path("build/wheels"), help="where the packages are kept")
    arguments = parser.parse_args()
    bare = without_compiled(Wheels(arguments.wheels))
    choice = Choice(bare, LIMIT - RESERVE)
    file = bare._replace(compiled=choice.versions).file()
    sys.stdout.writelines(f"{line}\n" for line in choice.table())
    if len(file) > LIMIT - RESERVE:
        sys.exit(f"{arguments.output}: {len(file)} bytes, limit {LIMIT - RESERVE}")
    write(arguments.output, file)
    sys.stdout.write(f"{arguments.output}: {len(file)} bytes, room {LIMIT - len(file)} of {LIMIT} in a ConfigMap\n")


def without_compiled(wheels: Wheels) -> Contents:
    """What is carried for any version of Python."""
    here = files("hachecks.executable")
    licence = Path(str(files("hachecks"))).parent / "LICENSE"
    carried = modules.carried(wheels.sources(), wheels.versions)
    return Contents(
        prelude=prelude(),
        loader=(here / "loader.py").read_bytes(),
        modules=carried,
        streams=streams(carried),
        preloaded=preloaded(carried),
        licences={"LICENSE": licence.read_bytes(), **wheels.licences()},
        compiled=(),
    )


def prelude() -> str:
    """The shell script at the beginning of the file."""
    here = files("hachecks.executable")
    given = "|".join(f"${{{variable}-}}" for variable in answer.variables())
    notify = _without_comments((here / "notify.sh").read_text()).replace("@FS@", WORDS)
    run, run_words = (_without_comments((here / name).read_text()) for name in ("run.sh", "run_words.sh"))
    known = {
        "FORMAT": answer.FORMAT,
        "IN_MEMORY": answer.IN_MEMORY,
        "GIVEN": given,
        "USUAL": answer.USUAL,
        "CONFIG": CONFIG_FILE,
    }
    for name, value in known.items():
        run = run.replace(f"@{name}@", value)
    text = (here / "prelude.sh").read_text().replace("@VERSION@", __version__)
    return text.replace("@NOTIFY@\n", notify).replace("@RUN@\n", run).replace("@RUN_WORDS@\n", run_words)


def _without_comments(script: str) -> str:
    """The shell reads all of it at each change of state, so that it reads no comments, nor what is there for looks."""
    lines = map(str.strip, script.splitlines())
    kept = (line for line in lines if line and (not line.startswith("#") or line.startswith("# shellcheck")))
    return "".join(f"{line}\n" for line in kept)


def write(path: Path, file: bytes) -> None:
    """Replace the file as a whole: it may be in use."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_bytes(file)
    temporary.chmod(0o755)
    temporary.replace(path)


if __name__ == "__main__":
    main()
