"""Objects of monitoring: what the Prometheus Operator scrapes and warns of, and a dashboard for Grafana."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from hachecks.ipfailover.manifests.manifest import Manifest
from hachecks.ipfailover.manifests.yaml_text import scalar

if TYPE_CHECKING:
    from hachecks.ipfailover.manifests.wanted import Common

OBJECTS = Path(__file__).parent / "shipped"
"""Those of configmaps/, which know our pods by the label app.kubernetes.io/name."""
POD_MONITOR, RULES, DASHBOARD = "pod-monitor.yaml", "prometheus-rules.yaml", "grafana-dashboard.yaml"


def shipped(name: str, common: Common) -> Manifest:
    """One of the objects that hachecks ships, in the namespace."""
    text = (OBJECTS / name).read_text(encoding="utf-8")
    # The comment in front is about the file itself.
    text = text[text.index("apiVersion:") :]
    if common.namespace:
        text = re.sub(
            r"(?m)^metadata:\n  name: .*$",
            lambda found: f"{found[0]}\n  namespace: {scalar(common.namespace)}",
            text,
            count=1,
        )
    return Manifest(f"monitoring/{name}", text)
