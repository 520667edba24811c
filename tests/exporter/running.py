"""A real `hacheck exporter`, and what it says."""

from __future__ import annotations

import base64
import json
import os
import re
import resource
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from hachecks.state import boot_id
from hachecks.transitions import journal
from hachecks.transitions.transition import Transition
from tests.nodes import places

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from email.message import Message
    from pathlib import Path

PATIENCE = 60.0
"""Seconds that a busy machine is given."""
SERVING = re.compile(r"serving (https?://\S+/)")


class Answer(NamedTuple):
    """What was answered."""

    status: int
    headers: Message
    body: bytes


class Series(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """Samples by name and labels."""

    @classmethod
    def read(cls, text: str) -> Series:
        """From Prometheus's text."""
        return cls(
            ((sample.name, frozenset(sample.labels.items())), float(sample.value))
            for metric in text_string_to_metric_families(text)
            for sample in metric.samples
        )

    def of(self, name: str, **labels: str) -> float | None:
        """The one sample of this name that has these labels; None where there is none."""
        found = [value for (one, own), value in self.items() if one == name and labels.items() <= own]
        assert len(found) < 2, f"{len(found)} samples of {name} {labels}"
        return found[0] if found else None

    def state(self, instance: str) -> str:
        """The state in which an instance is said to be."""
        states = [dict(own)["state"] for (one, own), value in self.items()
                  if one == "hachecks_vrrp_state" and value and ("vrrp_instance", instance) in own]  # fmt: skip
        assert len(states) == 1, states
        return states[0]


class Exporter:
    """A running exporter."""

    def __init__(
        self, process: subprocess.Popen[str], trust: ssl.SSLContext | None = None, credentials: str = ""
    ) -> None:
        self.process = process
        handlers = [urllib.request.ProxyHandler({}), *([urllib.request.HTTPSHandler(context=trust)] if trust else [])]
        self.opener = urllib.request.build_opener(*handlers)
        token = base64.b64encode(credentials.encode()).decode()
        self.login = {"Authorization": f"Basic {token}"} if credentials else {}
        self.lines: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.lines.append(line.rstrip("\n"))

    @property
    def urls(self) -> list[str]:
        """Where it serves."""
        return [found[1] for found in map(SERVING.search, list(self.lines)) if found]

    @property
    def url(self) -> str:
        return self.urls[0]

    def get(self, path: str = "metrics", **headers: str) -> Answer:
        """Ask for a path."""
        fields = {**self.login, **{name.replace("_", "-"): value for name, value in headers.items()}}
        try:
            with self.opener.open(urllib.request.Request(self.url + path, headers=fields), timeout=20) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def metrics(self) -> Series:
        """All samples."""
        return Series.read(self.get().body.decode())

    def status(self) -> Any:
        """The document."""
        return json.loads(self.get("api/status").body)

    def until(self, what: str, true: Any, within: float = PATIENCE) -> None:
        """Wait for something to become true."""
        ends = time.monotonic() + within
        while not true():
            assert self.process.poll() is None, "\n".join(self.lines)
            assert time.monotonic() < ends, f"not within {within} s: {what}\n" + "\n".join(self.lines)
            time.sleep(0.02)


@contextmanager
def exporter(
    state: Path,
    *words: str,
    listen: str = "127.0.0.1:0",
    ready: bool = True,
    limits: tuple[int, int] | None = None,
    trust: ssl.SSLContext | None = None,
    credentials: str = "",
    **environ: str,
) -> Iterator[Exporter]:
    """An exporter that looks at this state directory, from when it is ready until it has ended.

    `limits` are those of its open files, `trust` and `credentials` what one needs to ask it.
    """
    command = [sys.executable, "-m", "hachecks", "exporter", "--listen", listen, "--state-dir", str(state), *words]
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("HACHECK", "OPENSHIFT", "KEEP"))}
    process = subprocess.Popen(command, env={**plain, **environ}, stderr=subprocess.PIPE, text=True)
    if limits:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
    try:
        running = Exporter(process, trust, credentials)
        running.until("it serves", lambda: running.urls)
        if ready:
            running.until("it is ready", lambda: running.get("-/ready").status == 200)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def say(state: Path, name: str, word: str, priority: int = 100, kind: str = "INSTANCE", seconds_ago: float = 0) -> None:
    """Record what Keepalived would say, as if so many seconds ago."""
    ticks = time.clock_gettime(time.CLOCK_BOOTTIME) - seconds_ago
    started = int(ticks * os.sysconf("SC_CLK_TCK"))
    assert started > 0, "this machine has not run for so long"
    transition = Transition(kind, name, word, priority, boot=boot_id(), started=started, pid=os.getpid())
    journal.append(transition, places(state))


def configuration(count: int, network: str = "10.250.0") -> str:
    """A keepalived.conf with so many instances, each with a VIP that no node has."""
    return (
        "".join(
            f"vrrp_instance VI_{number} {{\n  interface eth0\n  virtual_router_id {number}\n  priority 100\n"
            f"  track_script {{\n    web\n  }}\n"
            f"  virtual_ipaddress {{\n    {network}.{number}/32 dev eth0\n  }}\n}}\n"
            for number in range(1, count + 1)
        )
        + 'vrrp_script web {\n  script "sh /etc/keepalive/hacheck run web"\n  interval 2\n}\n'
    )
