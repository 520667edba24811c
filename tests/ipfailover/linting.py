"""Lint as the tests ask it: what is found in files, variables and options, and cases that show each finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.lint.catalogue import lint
from hachecks.ipfailover.lint.reading import conf, read
from hachecks.ipfailover.lint.subject import Cluster, subject
from hachecks.ipfailover.variable import version
from tests.cli import ROOT
from tests.ipfailover.given import variables

if TYPE_CHECKING:
    from hachecks.ipfailover.lint.rule import Finding
    from hachecks.ipfailover.lint.subject import Subject


class Given(NamedTuple):
    """What lint is given: files in YAML, env files, keepalived.conf files and the rest."""

    files: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    confs: tuple[str, ...] = ()
    stock: str = ""
    cluster: Cluster = Cluster()

    def subject(self) -> Subject:
        """As lint has it; the files are F1, F2 and so on, env files E1, E2, and keepalived.conf files C1, C2."""
        found = read(
            [(text, f"F{number}") for number, text in enumerate(self.files, 1)],
            [(text, f"E{number}") for number, text in enumerate(self.env_files, 1)],
            [conf(text, f"C{number}") for number, text in enumerate(self.confs, 1)],
        )
        return subject(
            found.sources,
            {},
            stock=version(self.stock) if self.stock else None,
            resources=found.resources,
            confs=found.confs,
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


def together(*given: Given) -> Given:
    """All that several are given."""
    return Given(
        tuple(text for one in given for text in one.files),
        tuple(text for one in given for text in one.env_files),
        tuple(text for one in given for text in one.confs),
    )


GOOD_CONF = """\
global_defs {
    enable_script_security
    script_user root
}
vrrp_script service {
    script "/usr/bin/sh /etc/keepalive/hacheck run vip"
    interval 2
    fall 2
    rise 2
}
vrrp_instance web {
    state BACKUP
    interface vrrp0
    virtual_router_id 51
    priority 254
    preempt_delay 60
    unicast_src_ip 10.9.0.1
    unicast_peer {
        10.9.0.2
    }
    track_script {
        service
    }
    notify "/usr/bin/sh /etc/keepalive/hacheck notify"
    virtual_ipaddress {
        10.0.0.1/32
    }
}
"""
"""A keepalived.conf of which nothing is to be said."""


def changed(text: str, *changes: tuple[str, str]) -> str:
    """The text with each first part replaced by the second, at every place."""
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    return text


def conf_with(*changes: tuple[str, str]) -> Given:
    """The good keepalived.conf with changes."""
    return Given(confs=(changed(GOOD_CONF, *changes),))


GOOD_DEPLOYMENT = (ROOT / "tests" / "ipfailover-deployment-good.yaml").read_text()
"""A Deployment of which nothing is to be said."""


def deployment_with(*changes: tuple[str, str]) -> Given:
    """The good Deployment with changes."""
    return Given((changed(GOOD_DEPLOYMENT, *changes),))


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
