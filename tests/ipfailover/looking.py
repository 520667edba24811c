"""A node of the tests that is looked at by `hacheck ipfailover preflight`, and what that says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from tests.cli import ROOT
from tests.ipfailover.given import variables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.failover.namespace import Namespace
    from tests.ipfailover.cluster import Node


class Looked(NamedTuple):
    """The exit status, and the findings without what comes after them."""

    code: int
    lines: tuple[str, ...]
    err: str

    def with_word(self, word: str) -> str:
        """The one finding in which a word is."""
        (found,) = (line for line in self.lines if word in line)
        return found


def preflight(node: Node | Namespace, name: str, *, within: Sequence[str] = (), **short: str) -> Looked:
    """Look at a node, with variables by their names without OPENSHIFT_HA_; `within` is a command that runs it."""
    given = variables(**{"CONFIG_NAME": "looked", "NETWORK_INTERFACE": "eth0", **short})
    environment = [f"{one}={text}" for one, text in given.items()]
    program = [sys.executable, "-m", "hachecks", "ipfailover", "preflight", "--node", name]
    done = node.run("env", f"PYTHONPATH={ROOT}", *environment, *within, *program)
    return Looked(done.returncode, tuple(done.stdout.splitlines()), done.stderr)
