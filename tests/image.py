"""The file system of the image that Containerfile makes: its Debian packages unpacked, with a wheel of this tree.

    with image() as root:
        ...

What Debian and pip give is made once, by `make test` or `python -m tests.image`, and kept in build/image until the
Containerfile or the dependencies change; then nobody is asked on the network any more. What is of this tree is made
each time, but for the executable, which `make executable` has made. It is this machine's release of Debian, whatever
the Containerfile says.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cli import ROOT
from tests.failover.requirements import EXECUTABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTAINERFILE = (ROOT / "Containerfile").read_text().replace("\\\n", " ")
BUILD = ROOT / "build" / "image"
PATIENCE = 600
"""Seconds for one command: a mirror may be slow."""
MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
LEFT_OUT = ("doc", "info", "lintian", "locale", "man")
"""What debian:slim has not, below /usr/share."""
ALTERNATIVES = {"iptables": "xtables-nft-multi", "ip6tables": "xtables-nft-multi"}
"""What the scripts of packages make, which are not run here."""


def instructions(word: str) -> list[str]:
    """What stands after each instruction of the Containerfile, in its last stage."""
    last = CONTAINERFILE.rpartition("\nFROM ")[2]
    return [line.partition(" ")[2].strip() for line in last.splitlines() if line.startswith(f"{word} ")]


def copied() -> list[tuple[list[str], str]]:
    """What is copied from this tree, and where to: from / on, of the image, and else of where it is built."""
    lines = re.findall(r"^COPY (?!--from)(.*)$", CONTAINERFILE, re.MULTILINE)
    return [(line.split()[:-1], line.split()[-1]) for line in lines]


def packages() -> list[str]:
    """The Debian packages that are installed in the last stage."""
    (found,) = re.findall(
        r"apt-get install -y --no-install-recommends ([a-z0-9 +.-]+?) +&&", "\n".join(instructions("RUN"))
    )
    return str(found).split()


def required() -> list[str]:
    """What debian:slim has: the packages without which there is no Debian."""
    listed = _run("dpkg-query", "--show", "--showformat", "${Priority} ${Package}\n")
    return [line.split()[1] for line in listed.splitlines() if line.startswith("required ")]


@contextmanager
def image() -> Iterator[Path]:
    """A file system of our own, which nobody else changes."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="root-") as directory:
        root = Path(directory) / "root"
        with open(BUILD / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            base = _base()
            _run("cp", "--archive", "--link", str(base / "root"), str(root))
            wheel = _wheel(Path(directory), base / "build")
        _install(root, wheel, "--no-deps", of="hachecks")
        executable = root / "etc/keepalive/hacheck"
        executable.parent.mkdir(exist_ok=True)
        shutil.copy(EXECUTABLE, executable)  # with its mode
        for sources, target in copied():
            if target.startswith("/"):
                (root / target[1:]).parent.mkdir(parents=True, exist_ok=True)
                _run("cp", "--recursive", *(str(ROOT / source) for source in sources), str(root / target[1:]))
        for command in instructions("RUN"):
            if not re.search("apt-get|pip", command):
                _run("chroot", str(root), "sh", "-c", command)
        yield root


def _base() -> Path:
    """What does not change with this tree: `root`, and in `build` what makes a wheel; made where it is not there."""
    pyproject = (ROOT / "pyproject.toml").read_text()
    wanted = re.findall(r"^(?:dependencies|agent) = \[\n.*?^\]", pyproject, re.DOTALL | re.MULTILINE)
    builders = re.findall(r'"(.*?)"', re.findall(r"^requires = \[(.*)\]$", pyproject, re.MULTILINE)[0])
    script = Path(__file__).read_text()
    base = BUILD / hashlib.sha256("\n".join([*packages(), *wanted, *builders, script]).encode()).hexdigest()[:16]
    if not base.exists():
        for old in BUILD.glob("*"):
            if re.fullmatch("[0-9a-f]{16}", old.name):
                shutil.rmtree(old)
        unfinished = BUILD / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        _unpack(unfinished / "root")
        dependencies = (one for text in wanted for one in re.findall(r'^ +"(.*)",$', text, re.MULTILINE))
        _install(unfinished / "root", *dependencies)
        _pip("install", "--target", str(unfinished / "build"), *builders)
        unfinished.rename(base)
    return base


def _unpack(root: Path) -> None:
    """The packages with all that they depend on, as dpkg would have them, but for what their scripts do."""
    archives = BUILD / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    status = BUILD / "status"
    status.touch()
    settings = {
        "Dir::State::status": status,
        "Dir::State::extended_states": BUILD / "extended_states",
        "Dir::Cache::archives": archives,
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "true",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    words = [*options, "--no-install-recommends", "-qq", "-y", "install", *packages(), *required()]
    try:
        _run("apt-get", "--download-only", *words)
    except AssertionError:
        _run("apt-get", "-qq", "update")
        _run("apt-get", "--download-only", *words)
    needed = re.findall(r"^Inst (\S+) \((\S+)", _run("apt-get", "--simulate", *words), re.MULTILINE)
    root.mkdir()
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    left_out = [f"--exclude=./usr/share/{name}/*" for name in LEFT_OUT]
    for name, version in needed:
        (archive,) = archives.glob(f"{name}_{version.replace(':', '%3a')}_*.deb")
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as data:
            tar = ["tar", "--extract", "--keep-directory-symlink", "--directory", str(root), *left_out]
            subprocess.run(tar, stdin=data.stdout, check=True, timeout=PATIENCE)
    for name, target in ALTERNATIVES.items():
        (root / "usr/sbin" / name).symlink_to(target)
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
    _run("chroot", str(root), "python3", "-m", "compileall", "-q", "/usr/lib")


def _wheel(directory: Path, builder: Path) -> str:
    """A wheel of what Containerfile copies."""
    context = directory / "context"
    context.mkdir()
    for sources, target in copied():
        for source in sources if not target.startswith("/") else ():
            _run("cp", "--recursive", str(ROOT / source), str(context / target))
    words = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(directory), str(context))
    _pip("wheel", *words, PYTHONPATH=str(builder))
    (wheel,) = directory.glob("*.whl")
    return str(wheel)


def _install(root: Path, *words: str, of: str = "") -> None:
    """Have pip put something where Debian's own pip puts it; `of` is the one package to compile."""
    (python,) = (path.name for path in (root / "usr/lib").glob("python3.*"))
    target = root / "usr/local/lib" / python / "dist-packages"
    version = ("--python-version", python[6:], "--only-binary=:all:", "--no-compile")
    _pip("install", *version, "--target", str(target), "--upgrade", *words)
    for script in (target / "bin").glob("hacheck"):
        lines = script.read_text().splitlines()[1:]
        moved = root / "usr/local/bin/hacheck"
        moved.parent.mkdir(exist_ok=True)
        moved.write_text("\n".join(["#!/usr/bin/python3", *lines, ""]))
        moved.chmod(0o755)
    shutil.rmtree(target / "bin", ignore_errors=True)
    _run("chroot", str(root), "python3", "-m", "compileall", "-q", f"/usr/local/lib/{python}/dist-packages/{of}")


def _pip(*words: str, **environ: str) -> None:
    _run(sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words, **environ)


def _run(*words: str, **more: str) -> str:
    """Run a command that has to succeed, and return what it says."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PYTHONWARNINGS": "", **more}
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False, env=environ)
    assert done.returncode == 0, f"{shlex.join(words)}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def main() -> None:
    """Have ready what does not change with this tree."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        print("the image's file system is made on Debian, by root: the tests of the image are left out")
        return
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _base()


if __name__ == "__main__":
    main()
