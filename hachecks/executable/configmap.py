"""The ConfigMap with the executable and hacheck.toml, which `make configmaps` writes to dist/."""

from __future__ import annotations

import base64
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXECUTABLE = ROOT / "dist/hacheck"
CHECKS = ROOT / "configmaps/hacheck.toml"
OUTPUT = ROOT / "dist/hacheck-configmap.yaml"
LARGEST = 1024 * 1024
"""Bytes that the values of a ConfigMap may have together (Kubernetes: validation.MaxSecretSize)."""


def rendered(executable: bytes, checks: str) -> str:
    """The manifest, with the executable as `binaryData`; raises `ValueError` when Kubernetes would refuse it."""
    size = len(executable) + len(checks.encode())
    if size > LARGEST:
        raise ValueError(f"hacheck and hacheck.toml have {size} bytes together, a ConfigMap holds {LARGEST}")
    indented = "".join(f"    {line}".rstrip() + "\n" for line in checks.splitlines())
    return (
        "apiVersion: v1\n"
        "kind: ConfigMap\n"
        "metadata:\n"
        "  name: hacheck\n"
        "binaryData:\n"
        f"  hacheck: {base64.b64encode(executable).decode()}\n"
        "data:\n"
        f"  hacheck.toml: |\n{indented}"
    )


def main() -> None:
    """Write the ConfigMap, and put the executable where configmaps/kustomization.yaml looks for it."""
    OUTPUT.write_text(rendered(EXECUTABLE.read_bytes(), CHECKS.read_text()))
    shutil.copyfile(EXECUTABLE, CHECKS.with_name("hacheck"))
    name = OUTPUT.relative_to(ROOT)
    sys.stdout.write(f"{name}: kubectl create -f {name}, later kubectl replace -f {name}\n")


if __name__ == "__main__":
    main()
