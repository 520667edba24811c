"""`hacheck ipfailover lint`: weaknesses of what is given, before anybody suffers from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hachecks.config import nearest
from hachecks.ipfailover.commands.options import ConfigurationOptions
from hachecks.ipfailover.files import LedgerFile, Reader
from hachecks.ipfailover.lint import formats, reading
from hachecks.ipfailover.lint.catalogue import RULES, lint
from hachecks.ipfailover.lint.rule import SEVERITIES
from hachecks.ipfailover.lint.subject import subject
from hachecks.ipfailover.settings import is_ours
from hachecks.ipfailover.variable import version
from hachecks.settings import Invalid, option, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    explain: str | None = option(default=None, metavar="CODE", help="Explain a finding, such as HA007, and do no more.")

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Tell what is found; returns whether it is nothing as bad as `fail_on`; raises `Invalid`."""
        if self.explain is not None:
            output.say(_explained(self.explain))
            return True
        reader = Reader()
        flags = dict(self.flags(reader))
        if self.files or self.env_file:
            found = reading.read(reader.texts(self.files), reader.texts(self.env_file))
        elif flags or any(map(is_ours, environ)):
            found = reading.read_environment(environ)
        else:
            raise Invalid("there is no OPENSHIFT_HA_* variable; name a FILE, or - for standard input")
        file = LedgerFile(self.ledger) if self.ledger else None
        findings = lint(
            subject(
                found.sources,
                flags,
                stock=version(self.stock) if self.stock else None,
                ledger=self.kept(file),
                spread=self.spread,
                resources=found.resources,
                refused=found.refused,
            )
        )
        text = formats.as_text(findings)
        if text:
            output.say(text)
        failing = SEVERITIES[: SEVERITIES.index(self.fail_on) + 1] if self.fail_on != "never" else ()
        return not any(one.rule.severity in failing for one in findings)


def _explained(code: str) -> str:
    rule = RULES.get(code.upper())
    if rule is None:
        raise Invalid(f"--explain: there is no finding {code}{nearest(code.upper(), RULES)}")
    return formats.explained(rule)
