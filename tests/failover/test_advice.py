"""What README.md and docs/ say to write into a keepalived.conf runs, for every user, with script security or not."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .configmap import ConfigMap
from .namespace import PATIENCE, Namespace, namespace, wait_until
from .requirements import EXECUTABLE, missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = [pytest.mark.failover, pytest.mark.executable]

# The account is the namespace's own: /etc is a private copy.
SETUP = """
mount -t tmpfs tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mkdir -m 0777 /run/volume
mkdir /run/etc /run/work /run/state
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work /etc
mkdir /etc/keepalive
mount --bind /run/volume /etc/keepalive
ip link add eth0 type veth peer name eth1
ip address add 10.88.0.1/16 dev eth0
ip link set eth1 up
ip link set eth0 up
"""
ACCOUNT = "keepalived_script"
MAKE_ACCOUNT = f"""
grep -q '^{ACCOUNT}:' /etc/group || echo '{ACCOUNT}:x:4711:' >>/etc/group
grep -q '^{ACCOUNT}:' /etc/passwd || echo '{ACCOUNT}:x:4711:4711::/nonexistent:/usr/sbin/nologin' >>/etc/passwd
"""
GLOBAL = """
global_defs {{
    router_id hachecks
    vrrp_version 3
    {user}
    {security}
}}
"""
INSTANCE = """
vrrp_script check_{number} {{
    script "{form} file /run/state/in-service"
    interval 1
    timeout 5
}}
vrrp_instance VI_{number} {{
    interface eth0
    virtual_router_id {number}
    priority 254
    advert_int 0.1
    track_script {{
        check_{number}
    }}
    notify "{form} notify"
    virtual_ipaddress {{
        10.88.1.{number}/32 dev eth0
    }}
}}
"""
PATH = "/etc/keepalive/hacheck"
ROOT = Path(__file__).parents[2]
README, OPENSHIFT = ROOT / "README.md", ROOT / "docs/openshift.md"
RUNS, DISABLED = "runs", "is disabled"


class Keepalived:
    """A Keepalived with an instance, a check and a notify script for each form of starting them."""

    def __init__(self, node: Namespace, forms: Sequence[str], *, user: str, secure: bool) -> None:
        self.node = node
        self.forms = forms
        self.log: list[str] = []
        text = GLOBAL.format(
            user=f"script_user {user}" if user else "", security="enable_script_security" if secure else ""
        )
        for number, form in enumerate(forms, 1):
            text += INSTANCE.format(number=number, form=f"{form} {PATH}".strip())
        node.path("/run/keepalived.conf").write_text(text)
        argv = ("keepalived", "-n", "-l", "-p", "/run/k.pid", "-r", "/run/v.pid", "-f", "/run/keepalived.conf")
        self._process = node.start("env", "HACHECK_STATE_DIR=/run/state", *argv, heard=self.log.append)

    def checks(self) -> list[str]:
        """Whether each check runs, while the service is out of order: who is MASTER all the same has not looked."""
        wait_until(f"all are known: {self.log}", lambda: all(map(self._check, self._numbers)))
        return [self._check(number) for number in self._numbers]

    @property
    def _numbers(self) -> range:
        return range(1, len(self.forms) + 1)

    def _check(self, number: int) -> str:
        log = "\n".join(self.log)
        looked = f"Script `check_{number}` now returning 1" in log
        return RUNS if looked else DISABLED if f"(VI_{number}) Entering MASTER STATE" in log else ""

    def notified(self) -> list[str]:
        """Whether each notify script runs, once the service is in order and all are MASTER."""
        self.node.path("/run/state/in-service").touch()
        wait_until(f"all are MASTER: {self.log}", lambda: len(self._masters()) == len(self.forms))
        # Keepalived says of a script at its start, and then never, that it is disabled.
        missing = sum("in path - disabling" in line or "hacheck' - disabling" in line for line in self.log) // 2
        names = [f"\x1fVI_{number}\x1fMASTER\x1f" for number in self._numbers]
        wait_until("all are recorded", lambda: sum(name in self._journal() for name in names) >= len(names) - missing)
        return [RUNS if name in self._journal() else DISABLED for name in names]

    def _masters(self) -> set[str]:
        return {line for line in self.log if "Entering MASTER STATE" in line}

    def _journal(self) -> str:
        journal = self.node.path("/run/state/journal")
        return journal.read_text() if journal.exists() else ""

    def end(self) -> None:
        self._process.terminate()
        self._process.end(within=PATIENCE)


@contextmanager
def prepared(account: bool) -> Iterator[Namespace]:
    """A node with the executable in its ConfigMap, and with the account that Keepalived's scripts may have."""
    lack = missing()
    if lack and os.environ.get("CI"):
        pytest.fail(lack)
    elif lack:
        pytest.skip(lack)
    with namespace(SETUP + MAKE_ACCOUNT * account) as node:
        ConfigMap(node.path("/run/volume")).replace({"hacheck": EXECUTABLE.read_bytes()})
        if account:
            node.must("chown", ACCOUNT, "/run/state")
        yield node


@contextmanager
def started(forms: Sequence[str], user: str, *, secure: bool) -> Iterator[Keepalived]:
    """A Keepalived whose scripts run as this user; the empty one is whom Keepalived takes by itself."""
    with prepared(account=user != "root") as node:
        keepalived = Keepalived(node, forms, user=user, secure=secure)
        try:
            yield keepalived
        finally:
            keepalived.end()


def advised(user: str) -> list[str]:
    """What to write before the path, where Keepalived's scripts run as this user: README.md and docs/ say the same."""
    forms = [advised_by(page, user) for page in (README, OPENSHIFT)]
    assert forms[0] == forms[1] != []
    return forms[0]


def advised_by(page: Path, user: str) -> list[str]:
    text = page.read_text()
    if page == README:  # in sentences: what stands in a keepalived.conf, and what for another user
        (other,) = re.findall(r"as another user than root,(.*?)\.\n", text, re.DOTALL)
        own = re.findall(rf'^In any keepalived.conf: `script "(\S+) {PATH} ', text, re.MULTILINE)
        return own if user == "root" else re.findall(r"`(/\S*sh)`", other)
    rows = re.findall(r"^\| (root|another user)\b.*?\| (.*) \|$", text, re.MULTILINE)
    (row,) = [text for whom, text in rows if (whom == "root") == (user == "root")]
    return [form.removesuffix(f" {PATH} …") for form in re.findall(f"`([^`]* {PATH} …)`", row)]


BOTH = pytest.mark.parametrize("secure", [False, True], ids=["plain", "enable_script_security"])
WHOM = pytest.mark.parametrize("user", ["root", ACCOUNT, ""], ids=["root", ACCOUNT, "by-default"])


@BOTH
@WHOM
def test_what_the_readme_says_to_write_runs(user: str, secure: bool) -> None:
    forms = advised(user)
    with started(forms, user, secure=secure) as keepalived:
        assert keepalived.checks() == [RUNS] * len(forms)
        assert keepalived.notified() == [RUNS] * len(forms)
        assert not [line for line in keepalived.log if "isabling" in line]


@BOTH
@WHOM
def test_what_the_readme_warns_of_is_disabled(user: str, secure: bool) -> None:
    """A bare word for another user than root; with script security, a path through a directory that all may write."""
    disabled = {"sh": user != "root", "": user == "root" and secure}
    expected = [DISABLED if one else RUNS for one in disabled.values()]
    with started(list(disabled), user, secure=secure) as keepalived:
        assert keepalived.checks() == expected
        assert keepalived.notified() == expected
        assert ("Permissions failure for script sh in path - disabling" in "\n".join(keepalived.log)) == disabled["sh"]


@pytest.mark.parametrize("user", ["root", ACCOUNT])
def test_the_fifo_that_one_is_told_to_make_is_followed(user: str) -> None:
    page = OPENSHIFT.read_text()
    made = re.findall(r"^(mkfifo .*|chown .*fifo.*)$", page, re.MULTILINE)
    block = re.findall(r"^    (vrrp_notify_fifo(?:_script)? .*)$", page, re.MULTILINE)
    assert (len(made), len(block)) == (2, 2)
    with prepared(account=user != "root") as node:
        node.must("sh", "-ec", "\n".join(made[: 1 if user == "root" else 2]))
        lines = "\n".join(block).replace("sh /etc", "/usr/bin/sh /etc" if user != "root" else "sh /etc")
        text = GLOBAL.format(user=f"script_user {user}", security=lines)
        text += INSTANCE.format(number=1, form=f"/usr/bin/sh {PATH}")
        node.path("/run/keepalived.conf").write_text(re.sub('notify ".*|track_script {[^}]*}', "", text))
        log: list[str] = []
        argv = ("keepalived", "-n", "-l", "-p", "/run/k.pid", "-r", "/run/v.pid", "-f", "/run/keepalived.conf")
        process = node.start("env", "HACHECK_STATE_DIR=/run/state", *argv, heard=log.append)
        journal = node.path("/run/state/journal")
        try:
            wait_until(f"it is recorded: {log}", lambda: journal.exists() and "MASTER" in journal.read_text())
        finally:
            process.terminate()
            process.end(within=PATIENCE)


def test_a_fifo_that_is_not_the_readers_is_named_and_what_to_do() -> None:
    with prepared(account=True) as node:
        node.must("mkfifo", "-m", "0600", "/run/fifo")
        as_user = ("setpriv", "--reuid", ACCOUNT, "--clear-groups", "--regid", ACCOUNT)
        done = node.run(*as_user, "sh", PATH, "notify", "--fifo", "/run/fifo")
        assert done.stderr == "hacheck: notify: /run/fifo: Permission denied; give it to this user with chown\n"
        assert done.returncode == 2
