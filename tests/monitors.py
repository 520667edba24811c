"""Alertmanager, Pushgateway and node_exporter, as Debian packages them, started by hand on 127.0.0.1."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 60.0
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str) -> str:
    """What is at a URL."""
    with DIRECT.open(url, timeout=PATIENCE) as answer:
        return str(answer.read().decode())


def get_json(url: str) -> Any:
    """The document at a URL."""
    return json.loads(get(url))


def until(true: Callable[[], object]) -> None:
    """Wait for something to become true."""
    ends = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.05)


@contextmanager
def serving(directory: Path, program: str, ready: str, *words: str) -> Iterator[str]:
    """A server's URL, from when it is ready until it has ended; `{port}` in its words is a free one."""
    path = shutil.which(program)
    assert path, f"install {program}"
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (directory / f"{program}.log").open("wb") as log:
        process = subprocess.Popen(
            [path, *(word.format(port=port) for word in words)], stdout=log, stderr=log, cwd=directory
        )
    try:
        until(lambda: process.poll() is not None or answers(url + ready))
        assert process.poll() is None, (directory / f"{program}.log").read_text()
        yield url
    finally:
        process.terminate()
        process.wait(PATIENCE)


def answers(url: str) -> bool:
    try:
        return bool(get(url)) or True
    except OSError:
        return False


@contextmanager
def alertmanager(directory: Path, hook: str, prefix: str = "/", *, wait: str = "0s") -> Iterator[str]:
    """An Alertmanager that tells a webhook of everything at once, or so long after it began."""
    (directory / "alertmanager.yml").write_text(
        f"route: {{receiver: hook, group_by: ['...'], group_wait: {wait}, group_interval: 1s}}\n"
        f"receivers: [{{name: hook, webhook_configs: [{{url: '{hook}', send_resolved: true}}]}}]\n"
    )
    words = (
        f"--config.file={directory}/alertmanager.yml",
        f"--storage.path={directory}/alertmanager",
        "--web.listen-address=127.0.0.1:{port}",
        f"--web.route-prefix={prefix}",
        "--cluster.listen-address=",
    )
    base = prefix.rstrip("/")
    with serving(directory, "prometheus-alertmanager", f"{base}/-/ready", *words) as url:
        yield url + base


@contextmanager
def pushgateway(directory: Path) -> Iterator[str]:
    """A Pushgateway."""
    with serving(directory, "prometheus-pushgateway", "/-/ready", "--web.listen-address=127.0.0.1:{port}") as url:
        yield url


@contextmanager
def node_exporter(directory: Path, textfiles: Path) -> Iterator[str]:
    """A node_exporter that reads text files, and nothing else."""
    words = (
        "--web.listen-address=127.0.0.1:{port}",
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={textfiles}",
    )
    with serving(directory, "prometheus-node-exporter", "/metrics", *words) as url:
        yield url


def promtool_complaints(text: str) -> str:
    """What `promtool check metrics` says of a text; empty when all is well."""
    path = shutil.which("promtool")
    assert path, "install prometheus"
    done = subprocess.run(
        [path, "check", "metrics"], input=text, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return done.stdout + done.stderr
