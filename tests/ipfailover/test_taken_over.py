"""The page on OpenShift: the commands that prepare new pods beside the stock image's do what it says of them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cli import ROOT, hacheck

if TYPE_CHECKING:
    from pathlib import Path

CHAPTER = (
    (ROOT / "docs" / "openshift.md").read_text().partition("## From the stock image to ours")[2].partition("\n## ")[0]
)


def commands() -> list[str]:
    """The command lines of `hacheck` in the chapter's blocks."""
    blocks = "\n".join(re.findall(r"^```text\n(.*?)^```", CHAPTER, re.DOTALL | re.MULTILINE))
    return [one for one in blocks.replace("\\\n", " ").splitlines() if one.startswith("hacheck ")]


@pytest.mark.parametrize("stock", ["4.20", "4.14"])
def test_the_new_pods_elect_together_with_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stock: str
) -> None:
    monkeypatch.chdir(tmp_path)
    old = (ROOT / "tests" / "ipfailover-deployment-good.yaml").read_text()
    # Without an offset, as in the examples, ids begin where the version says.
    old = old.replace("10.0.0.100", "10.0.0.100-104").replace('VRRP_ID_OFFSET\n              value: "10"', "CHECK_FALL")
    (tmp_path / "old.yaml").write_text(old.replace(":v4.20", ":latest"))
    shutil.copy(ROOT / "configmaps" / "hacheck.toml", tmp_path)
    lint, save, manifests, against = commands()
    for command in (lint, save, manifests, against):
        program, *words = shlex.split(command.partition(">")[0].replace("4.20", stock))
        assert program == "hacheck"
        answer = hacheck(*words)
        assert answer.code == 0 or command == lint, (command, answer)
        if ">" in command:
            (tmp_path / command.partition(">")[2].strip()).write_text(answer.out)
    assert "Against the old plan nothing changes." in answer.out.splitlines()
    (daemon_set,) = (
        one for one in yaml.safe_load_all((tmp_path / "new.yaml").read_text()) if one["kind"] == "DaemonSet"
    )
    spec = daemon_set["spec"]["template"]["spec"]
    (ledger,) = (json.loads(path.read_text()) for path in tmp_path.glob("ids.json"))
    ids = [one["id"] for one in ledger["configurations"]["router"]["instances"]]
    assert ids == list(range(11, 16) if stock == "4.20" else range(1, 6))
    apart = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert {"ipfailover": "hello-openshift"} in [one["labelSelector"]["matchLabels"] for one in apart]
    assert daemon_set["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/instance"] == "router"
    assert spec["nodeSelector"]["ipfailover"] == "router"
    assert daemon_set["metadata"]["name"] == "ipfailover-router"
    assert hacheck("ipfailover", "lint", tmp_path / "new.yaml").code == 0
