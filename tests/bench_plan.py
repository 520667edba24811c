"""The cost of `hacheck ipfailover plan` by VIPs and nodes: `make bench` prints it after the checks'.

Instructions are counted, which the load of the machine does not touch. What planning takes is what a process takes more
that plans, and finds the worst loss, than one that only reads the same settings; the rest is the whole command without
that: starting, reading, writing the table. The rest is held against what `python -c "import click"` takes, and planning
against the number of VIPs times that of nodes.
"""

from __future__ import annotations

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.bench import instructions

ROOT = Path(__file__).parents[1]
VIPS, NODES = (10, 50, 255), (3, 10, 50)
MOST_REST = 2.0
"""Times `import click` that everything but planning may take."""
PLANNING = """
import sys
from hachecks.ipfailover.losses import Loads, losses
from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.settings import settings_of
from hachecks.ipfailover.variable import Given

words = dict(word.split("=", 1) for word in sys.argv[2:])
settings = settings_of({name: Given(text, name) for name, text in words.items()}, (5, 1))
if sys.argv[1] == "plan":
    (plan,), _ = plan_all([settings], {}, None)
    Loads(plan.instances, plan.nodes).worst(losses(plan.instances, plan.nodes))
"""


class Measured(NamedTuple):
    """What so many VIPs on so many nodes take, in instructions: the whole command, and planning."""

    vips: int
    nodes: int
    whole: int
    planning: int

    @property
    def each(self) -> float:
        """Instructions of planning by VIP and node."""
        return self.planning / self.vips / self.nodes

    @property
    def rest(self) -> int:
        """What is not planning."""
        return self.whole - self.planning


def count(*words: str) -> int:
    """The instructions of Python with these words; a process without the package's code compiled pays for that."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    return instructions([sys.executable, *words], environ)


def measure(vips: int, nodes: int) -> Measured:
    """What a plan takes."""
    addresses, names = f"10.0.0.1-{vips}", ",".join(f"worker-{number}" for number in range(nodes))
    offset = ("--vrrp-id-offset", "0")
    whole = count(*("-m", "hachecks", "ipfailover", "plan", "--virtual-ips", addresses, "--nodes", names), *offset)
    given = (f"OPENSHIFT_HA_VIRTUAL_IPS={addresses}", f"OPENSHIFT_HA_NODES={names}", "OPENSHIFT_HA_VRRP_ID_OFFSET=0")
    with_plan, without = (count("-c", PLANNING, word, *given) for word in ("plan", "read"))
    return Measured(vips, nodes, whole, with_plan - without)


def main() -> None:
    """Print the table."""
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not here; sh tests/system-packages.sh bench")
    count("-m", "hachecks", "ipfailover", "plan", "--virtual-ips", "10.0.0.1", "--nodes", "a")  # compiles what is not
    click = count("-c", "import click")
    print(f"\nhacheck ipfailover plan, in millions of instructions; import click takes {click / 1e6:.1f};")
    print("each is planning by VIP and node\n")
    heads = ("VIPs", "nodes", "whole", "planning", "each", "rest", "beside click")
    print(" ".join(head.rjust(width) for head, width in zip(heads, (5, 6, 8, 9, 10, 7, 13))))
    sizes = [(vips, nodes) for vips in VIPS for nodes in NODES]
    measured = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for one in pool.map(lambda size: measure(*size), sizes):
            measured.append(one)
            times = one.rest / click
            target = f"< {MOST_REST:g} × {'reached' if times < MOST_REST else 'MISSED'}"
            print(
                f"{one.vips:>5} {one.nodes:>6} {one.whole / 1e6:>8.1f} {one.planning / 1e6:>9.1f} "
                f"{one.each / 1e3:>8.1f} k {one.rest / 1e6:>7.1f} {times:>11.2f} ×  {target}",
                flush=True,
            )
    linear = "reached" if measured[-1].each <= measured[0].each else "MISSED"
    print(f"planning grows no faster than VIPs × nodes: {linear}")


if __name__ == "__main__":
    main()
