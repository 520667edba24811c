"""Many inputs for each parser: `python -m tests.fuzz.run [--inputs N] [TARGET …]`."""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.mutation import mutated
from tests.fuzz.parsers import TARGETS
from tests.fuzz.target import COSTS, LONGEST, Finding, Target, examine

FINDINGS = Path(os.environ.get("FUZZ_FINDINGS", "build/fuzz"))
MOST_MEMORY = 4 * 1024**3
MOST_COSTLY = 5
"""Inputs that take too much, after which a target gets no more: each may take seconds."""
MOST_SEEDS = 2000
"""Inputs that are changed further, since they were answered in a way that was new."""


class Campaign:
    """The inputs given to one target, and what was found."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.inputs = 0
        self.began = time.monotonic()
        self.answers: set[str] = set()
        self.findings: dict[str, Finding] = {}
        self.costly = 0

    def give(self, data: bytes) -> bool:
        """Give it one input; returns whether it was answered as none before."""
        self.inputs += 1
        known = len(self.answers)
        try:
            self.answers.add(examine(self.target, data))
        except Finding as finding:
            self.findings.setdefault(finding.place, finding)
            self.costly += finding.place in COSTS
        return len(self.answers) > known

    def mutate(self, inputs: int, seed: int) -> None:
        """Give it so many inputs made from its seeds, the same for the same `seed`."""
        chance = random.Random(f"{self.target.name} {seed}")
        pool = list(self.target.seeds)
        for data in pool:
            self.give(data)
        while self.inputs < inputs and self.costly < MOST_COSTLY:
            data = mutated(pool, chance)
            if self.give(data) and len(pool) < MOST_SEEDS:
                pool.append(data)

    def report(self) -> bool:
        """Say what came of it in a line, and write down the findings; returns whether there was none."""
        seconds = time.monotonic() - self.began
        print(
            f"{self.target.name:26} {self.inputs:8} inputs {seconds:6.1f} s  {len(self.findings)} findings", flush=True
        )
        for place, finding in self.findings.items():
            FINDINGS.mkdir(parents=True, exist_ok=True)
            path = FINDINGS / f"{self.target.name}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"
            path.write_bytes(finding.data)
            print(f"  {finding}\n  {path}", flush=True)
        return not self.findings


def guided(campaign: Campaign, inputs: int) -> None:
    """Give the inputs that atheris thinks of, which looks at the branches that they take; does not return."""
    import atheris

    corpus = FINDINGS / f"corpus-{campaign.target.name}"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(campaign.target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)

    def one(data: bytes) -> None:
        campaign.give(data)
        if campaign.inputs >= inputs:
            os._exit(0 if campaign.report() else 1)

    atheris.Setup([sys.argv[0], str(corpus), f"-max_len={LONGEST}", "-verbosity=0", "-print_final_stats=0"], one)
    atheris.Fuzz()


def in_a_process(target: Target, options: argparse.Namespace) -> bool:
    """Each target in a process of its own, whose memory is its own."""
    command = [sys.executable, "-m", "tests.fuzz.run", "--here", f"--inputs={options.inputs}", f"--seed={options.seed}"]
    return subprocess.run([*command, target.name], check=False).returncode == 0


def here(target: Target, options: argparse.Namespace) -> bool:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    campaign = Campaign(target)
    try:
        import atheris
    except ImportError:
        campaign.mutate(options.inputs, options.seed)
    else:
        atheris.instrument_all()
        guided(campaign, options.inputs)
    return campaign.report()


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--inputs", type=int, default=100_000, help="inputs for each target")
    arguments.add_argument("--seed", type=int, default=0, help="another number makes other inputs")
    arguments.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments.add_argument("targets", nargs="*", metavar="TARGET", help="some of them only")
    options = arguments.parse_args()
    known = {target.name: target for target in TARGETS}
    strangers = set(options.targets) - set(known)
    if strangers:
        arguments.error(f"no target {', '.join(sorted(strangers))}; there are {', '.join(known)}")
    run = here if options.here else in_a_process
    failed = [name for name in options.targets or known if not run(known[name], options)]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
