"""Every case that shows a finding of lint, of all modules that note some."""

from __future__ import annotations

from tests.ipfailover import (
    lint_cases_conf,
    lint_cases_ours,
    lint_cases_pod,
    lint_cases_stock,
    lint_cases_together,
    lint_cases_understood,
)
from tests.ipfailover.linting import CASES as CASES  # noqa: PLC0414 - with all that these have noted
from tests.ipfailover.linting import Case as Case  # noqa: PLC0414

MODULES = (
    lint_cases_understood,
    lint_cases_stock,
    lint_cases_pod,
    lint_cases_ours,
    lint_cases_conf,
    lint_cases_together,
)
"""Modules whose import notes cases."""
