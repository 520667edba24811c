"""Prometheus as Debian packages it, started by hand on 127.0.0.1."""

from __future__ import annotations

import urllib.parse
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from tests.monitors import get_json, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@contextmanager
def prometheus(directory: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """The URL of a Prometheus with this configuration, whose rule files are looked for in the directory."""
    (directory / "prometheus.yml").write_text(yaml.safe_dump(dict(config)))
    words = (
        f"--config.file={directory}/prometheus.yml",
        f"--storage.tsdb.path={directory}/prometheus",
        "--web.listen-address=127.0.0.1:{port}",
    )
    with serving(directory, "prometheus", "/-/ready", *words) as url:
        yield url


def query(url: str, expression: str) -> list[dict[str, Any]]:
    """What an expression gives now; raises `OSError` when Prometheus refuses it."""
    answer = get_json(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
    assert answer["status"] == "success", answer
    return list(answer["data"]["result"])


def rules(url: str) -> list[dict[str, Any]]:
    """The rules as Prometheus has loaded them, with their `health`: unknown until they have been evaluated once."""
    groups = get_json(f"{url}/api/v1/rules")["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]
