"""Lint as the tests ask it: what is found in files, variables and options, and cases that show each finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.lint.catalogue import lint
from hachecks.ipfailover.lint.reading import read
from hachecks.ipfailover.lint.subject import Cluster, subject
from hachecks.ipfailover.variable import version
from tests.ipfailover.given import variables

if TYPE_CHECKING:
    from hachecks.ipfailover.lint.rule import Finding
    from hachecks.ipfailover.lint.subject import Subject


class Given(NamedTuple):
    """What lint is given: files in YAML, env files and the rest."""

    files: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    stock: str = ""
    cluster: Cluster = Cluster()

    def subject(self) -> Subject:
        """As lint has it; the files are F1, F2 and so on, and env files E1, E2."""
        found = read(
            [(text, f"F{number}") for number, text in enumerate(self.files, 1)],
            [(text, f"E{number}") for number, text in enumerate(self.env_files, 1)],
        )
        return subject(
            found.sources,
            {},
            stock=version(self.stock) if self.stock else None,
            resources=found.resources,
            refused=found.refused,
            cluster=self.cluster,
        )

    def findings(self) -> list[Finding]:
        """All that lint finds."""
        return lint(self.subject())

    def codes(self) -> set[str]:
        """The codes of what lint finds."""
        return {one.rule.code for one in self.findings()}


def env(stock: str = "", **short: str) -> Given:
    """An env file with these variables, whose names are without OPENSHIFT_HA_."""
    return Given(env_files=("".join(f"{name}='{text}'\n" for name, text in variables(**short).items()),), stock=stock)


class Case(NamedTuple):
    """What shows a finding, and the same, corrected."""

    code: str
    wrong: Given
    right: Given


CASES: list[Case] = []
"""Every case of the modules that are imported."""


def shows(code: str, wrong: Given, right: Given) -> None:
    """Note a case."""
    CASES.append(Case(code, wrong, right))
