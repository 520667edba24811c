"""The tests' own machine: what they write to its directories of state is not there for others, nor the other way."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import hypothesis
import pytest

CLONE_NEWNS = 0x20000
PATIENCE = 30.0
# /run can be read as it is, since name resolution may depend on it, but for /run/hacheck: the device is an overlay's
# word for what is not there. A directory that is open can be bound though something else has been mounted over it.
PRIVATE = """
mount --make-rprivate /
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
exec 7</run
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir /run/upper /run/work /run/lower
mknod /run/upper/hacheck c 0 0
mount --no-canonicalize --bind /proc/self/fd/7 /run/lower
mount -t overlay -o lowerdir=/run/lower,upperdir=/run/upper,workdir=/run/work overlay /run
cp /etc/hosts /run/hosts
echo 192.0.2.2 node0.example >>/run/hosts
mount --bind /run/hosts /etc/hosts
"""

collect_ignore = ["example"]
"""What `test_three_places` puts into a copy of this tree."""

BEFORE = {directory: os.stat(directory).st_dev for directory in ("/run", "/dev/shm")}
"""The file systems that were there when we came."""


LONG = (
    "tests/test_executable.py",
    "tests/test_image.py",
    "tests/failover/test_exporter.py",
    "tests/failover/test_failover.py",
    "tests/ipfailover/test_cluster_plan.py",
    "tests/ipfailover/test_cluster_reload.py",
    "tests/ipfailover/test_pods_losses.py",
    "tests/ipfailover/test_pods_migrate.py",
    "tests/ipfailover/test_pods_life.py",
    "tests/net/test_starttls.py",
    "tests/net/test_goodbyes.py",
    "tests/delivery/test_deliverer.py",
)
"""Files whose tests share something dear and take long together: they come first, or a worker had them at the end."""


def pytest_configure(config: pytest.Config) -> None:
    # In the background and under nohup it is ignored, and so it would be by whatever the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # How long an example takes says how busy the machine is.
    # The same examples each time: what is new is found by `make fuzz`, and not by whoever lands a change.
    hypothesis.settings.register_profile("hachecks", deadline=None, derandomize=True)
    hypothesis.settings.register_profile("searching", deadline=None)
    hypothesis.settings.load_profile("hachecks")
    runs_tests = hasattr(config, "workerinput") or not config.getoption("numprocesses", None)
    if os.geteuid() == 0 and runs_tests:  # each worker for itself: one overlay above another has an end
        keep_to_ourselves()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what a worker has to do together: a file whose tests share a fixture. Single tests come last, to fill up."""
    sharing = {item.path for item in items if shares_something(item)}
    for item in items:
        if item.path in sharing and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))

    def place(item: pytest.Item) -> tuple[bool, int]:
        file = item.nodeid.partition("::")[0]
        return (not item.get_closest_marker("xdist_group"), LONG.index(file) if file in LONG else len(LONG))

    items.sort(key=place)


def shares_something(item: pytest.Item) -> bool:
    """Whether a test has a fixture of ours that others have as well."""
    fixtures = getattr(item, "_fixtureinfo").name2fixturedefs.values()  # noqa: B009 - pytest's own has no other name
    return any(one.scope != "function" and one.baseid for of_name in fixtures for one in of_name)


def keep_to_ourselves() -> None:
    """Have a /run and a /dev/shm of our own from now on, in this thread and whatever it starts.

    The address of `tests.own_network` gets a name, for which no server on the network is asked.
    Where that is not allowed, `test_alone` says so.
    """
    if ctypes.CDLL(None).unshare(CLONE_NEWNS) == 0:
        subprocess.run(["sh", "-ec", PRIVATE], check=False, stdin=subprocess.DEVNULL)


@pytest.fixture(autouse=True, scope="module")
def _nothing_of_former_tests() -> None:
    """Leave no file of tests the state that another has left in these directories, where they are our own.

    State is read from there besides the directory that a test names.
    """
    for directory, device in BEFORE.items():
        if os.stat(directory).st_dev != device:
            until = time.monotonic() + PATIENCE
            while left := list(Path(directory).glob("hacheck*")):
                assert time.monotonic() < until, left
                for path in left:  # a deliverer may still be writing there
                    shutil.rmtree(path, ignore_errors=True)
                time.sleep(0.01)
