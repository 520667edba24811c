"""Real daemons that take log messages: Debian's rsyslog, and systemd's journald with a /run of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import trustme

RSYSLOGD = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin")
JOURNALD = Path("/lib/systemd/systemd-journald")
PATIENCE = 60.0
FIELDS = ("hostname", "app-name", "procid", "msgid", "structured-data", "msg")
WORDS = ("syslogfacility-text", "syslogpriority-text")
CONFIGURATION = """
global(workDirectory="{directory}"
       defaultNetstreamDriverCAFile="{directory}/ca.pem"
       defaultNetstreamDriverCertFile="{directory}/certificate.pem"
       defaultNetstreamDriverKeyFile="{directory}/key.pem")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{directory}/log" CreatePath="on")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="{udp}")
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="{tcp}")
input(type="imtcp" address="127.0.0.1" port="{tls}" streamdriver.name="ossl" streamdriver.mode="1"
      streamdriver.authmode="{authmode}")
template(name="as-json" type="list" option.jsonf="on") {{
{properties}
}}
action(type="omfile" file="{directory}/out" template="as-json" flushOnTXEnd="on")
"""


class Rsyslog(NamedTuple):
    """Where it listens, and where it writes."""

    directory: Path
    udp: int
    tcp: int
    tls: int

    def taken(self, count: int) -> list[dict[str, str]]:
        """The first messages it has taken."""
        out = self.directory / "out"
        eventually(lambda: out.exists() and out.read_text().count("\n") >= count, lambda: out)
        return [json.loads(line) for line in out.read_text().splitlines()]


def eventually(happened: Callable[[], bool], what: Callable[[], object] = lambda: "") -> None:
    """Wait until it has happened, half a minute at most."""
    until = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < until, what()
        time.sleep(0.02)


@contextmanager
def rsyslog(directory: Path, authority: trustme.CA, *, client_certificates: bool = False) -> Iterator[Rsyslog]:
    """rsyslogd on free ports of 127.0.0.1 and a socket `log`; its certificate is localhost's."""
    assert RSYSLOGD, "install rsyslog and rsyslog-openssl"
    issued = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    issued.cert_chain_pems[0].write_to_path(directory / "certificate.pem")
    issued.private_key_pem.write_to_path(directory / "key.pem")
    daemon = Rsyslog(directory, free_port(), free_port(), free_port())
    lines = (f'  property(outname="{name}" name="{name}" format="jsonf")' for name in (*FIELDS, *WORDS))
    authmode = "x509/certvalid" if client_certificates else "anon"
    text = CONFIGURATION.format(**daemon._asdict(), authmode=authmode, properties="\n".join(lines))
    (directory / "rsyslog.conf").write_text(text)
    words = [RSYSLOGD, "-n", "-f", str(directory / "rsyslog.conf"), "-i", str(directory / "pid")]
    process = subprocess.Popen(["setpriv", "--pdeathsig=TERM", *words])
    try:
        eventually(lambda: (directory / "log").exists() and listening(daemon.tcp) and listening(daemon.tls))
        yield daemon
    finally:
        process.terminate()
        process.wait(PATIENCE)


def listening(port: int) -> bool:
    """Whether somebody listens on a TCP port, without bothering them."""
    table = Path("/proc/net/tcp").read_text()
    return f":{port:04X} 00000000:0000 0A" in table


class Journald(NamedTuple):
    """Its /run, as it is seen from outside."""

    run: Path

    @property
    def socket(self) -> Path:
        """Where it takes entries."""
        return self.run / "systemd/journal/socket"

    @property
    def dev_log(self) -> Path:
        """What is /dev/log on a node."""
        return self.run / "systemd/journal/dev-log"

    def entries(self, count: int, *matches: str) -> list[dict[str, Any]]:
        """The first entries that journalctl shows."""
        words = ["journalctl", "--no-pager", "-o", "json", "--all", "--file", f"{self.run}/log/journal/*/*.journal"]

        def shown() -> list[str]:
            return subprocess.run([*words, *matches], capture_output=True, text=True, check=False).stdout.splitlines()

        eventually(lambda: len(shown()) >= count, shown)
        return [json.loads(line) for line in shown()]


@contextmanager
def journald(directory: Path) -> Iterator[Journald]:
    """systemd-journald in a mount namespace, whose /run is a directory; needs root."""
    assert JOURNALD.exists(), "install systemd"
    daemon = Journald(directory / "run")
    daemon.socket.parent.mkdir(parents=True)
    (daemon.run / "log/journal").mkdir(parents=True)
    inside = f"mount --bind {daemon.run} /run && exec {JOURNALD}"
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig=TERM", "unshare", "-m", "sh", "-c", inside], stderr=subprocess.DEVNULL
    )
    try:
        eventually(lambda: daemon.socket.exists() and daemon.dev_log.exists())
        yield daemon
    finally:
        process.terminate()
        process.wait(PATIENCE)
