"""`hacheck ipfailover lint`: weaknesses of what is given, before anybody suffers from them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from hachecks.config import nearest
from hachecks.ipfailover.commands.options import ConfigurationOptions, hand_out
from hachecks.ipfailover.files import STDIN, LedgerFile, Reader
from hachecks.ipfailover.lint import formats, reading
from hachecks.ipfailover.lint.catalogue import RULES, lint
from hachecks.ipfailover.lint.rule import SEVERITIES
from hachecks.ipfailover.lint.sarif import as_sarif
from hachecks.ipfailover.lint.subject import Cluster, subject
from hachecks.ipfailover.settings import is_ours
from hachecks.ipfailover.sources import environment
from hachecks.ipfailover.variable import version
from hachecks.settings import Invalid, option, settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hachecks.ipfailover.lint.rule import Finding
    from hachecks.ipfailover.lint.subject import Subject
    from hachecks.registry import Output


@settings
class LintCommand(ConfigurationOptions):
    """Find what goes wrong with an ipfailover before it does.

    It reads variables, the Kubernetes objects that have them, and keepalived.conf files, and tells of each weakness
    where it is, what happens and the cure, one on a line: those of the stock image, of the pod, of VRRP, and of several
    configurations on the same nodes. Nothing is asked of a cluster or of Keepalived.

    The variables are the environment's, unless FILE or `--env-file` names others; each container, ConfigMap or
    env file is a configuration of its own, and options count for all.

    Exit status 0 where nothing is found, or nothing as bad as `--fail-on`, 1 where there is, 2 for what cannot be
    understood.
    """

    flags_only = True

    fail_on: Literal["error", "warning", "note", "never"] = option(
        default="warning", help="The exit status is 1 for findings as bad as this, or worse."
    )
    format: Literal["text", "json", "sarif", "github"] = option(
        default="text", help="For people, for programs, for code scanning, or as commands of a workflow of GitHub."
    )
    docs_url: str = option(
        default="", metavar="URL", help="Where the pages of docs/ are served, to which the rules of sarif then link."
    )
    explain: str | None = option(default=None, metavar="CODE", help="Explain a finding, such as HA007, and do no more.")
    keepalived_conf: tuple[str, ...] = option(
        default=(), metavar="FILE", help="A keepalived.conf, several times; FILE is taken for one that reads like one."
    )
    cluster_name: str = option(
        default="", metavar="NAME", help="The OpenShift cluster's name, of which the platform's own ids are made."
    )
    kube_proxy_mode: Literal["iptables", "ipvs", "nftables", "unknown"] = option(
        default="unknown", help="How kube-proxy leads VIPs to Services."
    )

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Tell what is found; returns whether it is nothing as bad as `fail_on`; raises `Invalid`."""
        if self.explain is not None:
            output.say(_explained(self.explain))
            return True
        findings = lint(self._subject(environ, Reader()))
        text = self._written(findings)
        if text and self.format in ("json", "sarif"):
            hand_out(text, output)
        elif text:
            output.say(text)
        failing = SEVERITIES[: SEVERITIES.index(self.fail_on) + 1] if self.fail_on != "never" else ()
        return not any(one.rule.severity in failing for one in findings)

    def _written(self, findings: Sequence[Finding]) -> str:
        if self.format == "sarif":
            return as_sarif(findings, tuple(RULES.values()), self.docs_url)
        write = {"text": formats.as_text, "json": formats.as_json, "github": formats.as_github}[self.format]
        return write(findings)

    def _subject(self, environ: Mapping[str, str], reader: Reader) -> Subject:
        flags = dict(self.flags(reader))
        file = LedgerFile(self.ledger) if self.ledger else None
        found = self._read(reader)
        if not (self.files or self.env_file or self.keepalived_conf):
            if not flags and not any(map(is_ours, environ)):
                raise Invalid("there is no OPENSHIFT_HA_* variable; name a FILE, or - for standard input")
            found = found._replace(sources=(environment(environ),))
        return subject(
            found.sources,
            flags,
            stock=version(self.stock) if self.stock else None,
            ledger=self.kept(file, found.sources),
            spread=self.spread,
            resources=found.resources,
            confs=found.confs,
            refused=found.refused,
            cluster=Cluster(self.cluster_name, self.kube_proxy_mode),
        )

    def _read(self, reader: Reader) -> reading.Read:
        texts, confs = [], []
        for path, (text, place) in zip(self.files, reader.texts(self.files)):
            if not reading.is_keepalived_conf(text):
                texts.append((text, place))
            elif path == STDIN:
                confs.append(reading.conf(text, place))
            else:
                confs.append(reading.conf_file(path))
        for path in self.keepalived_conf:
            confs.append(
                reading.conf(reader.text(path), reader.place(path)) if path == STDIN else reading.conf_file(path)
            )
        return reading.read(texts, reader.texts(self.env_file), confs)


def _explained(code: str) -> str:
    number = re.fullmatch("(?:HA)?0*([0-9]{1,3})", code, re.IGNORECASE | re.ASCII)
    name = f"HA{int(number[1]):03}" if number else code.upper()
    if name not in RULES:
        raise Invalid(f"--explain: there is no finding {code}{nearest(name, RULES)}")
    return formats.explained(RULES[name])
