"""Every command in README.md does what it says there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from hachecks.config import Configuration
from hachecks.delivery.channels import channels_of
from hachecks.registry import PROBES
from tests.cli import ROOT

from .failover.namespace import PATIENCE, Namespace, namespace, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark import ParameterSet

README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SETUP = """
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
mkdir /run/etc /run/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work /etc
mkdir /etc/keepalive
ip link add eth0 type veth peer name eth1
ip address add 10.0.0.5/24 dev eth0
ip address add 10.0.0.2/32 dev lo
ip link set eth1 up
ip link set eth0 up
ip route add default dev eth0
"""
POSTGRES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nonexistent"))


def blocks(kind: str) -> list[str]:
    return [text for language, text in BLOCK.findall(README) if language == kind]


def transcripts() -> list[ParameterSet]:
    """Each `$ command` of the README with what it is said to print."""
    found = []
    for block in blocks("console"):
        for part in block.split("$ ")[1:]:
            command, _, told = part.partition("\n")
            found.append(pytest.param(command, told.rstrip("\n"), id=command))
    return found


def without_figures(text: str) -> str:
    """The text with its measurements replaced: they differ from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "DATE", text)
    text = re.sub(r"\b\d+(\.\d+)?(e-\d+)? (ms|s)\b", "TIME", text)
    return re.sub(r"\d+(\.\d+)?(e-\d+)?(?=s\b|\})", "TIME", text)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """A node as the README has it: the ConfigMap, and every service its recipes ask."""
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("needs root, for a namespace of its own")
    authority = trustme.CA()
    certificate = tmp_path_factory.mktemp("certificate") / "server.pem"
    authority.issue_cert("shop.example.com", "mail.example.com").private_key_and_cert_chain_pem.write_to_path(
        str(certificate)
    )
    with namespace(SETUP) as inside:
        inside.path("/run/hacheck").mkdir()
        keepalive = inside.path("/etc/keepalive")
        shutil.copy(ROOT / "dist/hacheck", keepalive)
        (keepalive / "hacheck.toml").write_text(blocks("toml")[0])
        authority.cert_pem.write_to_path(str(keepalive / "ca.pem"))
        said: list[str] = []
        inside.start(sys.executable, str(ROOT / "tests/readme_services.py"), str(certificate), heard=said.append)
        start_postgresql(inside)
        wait_until(f"the services are there: {said}", lambda: "ready" in said)
        wait_until(
            "the name server is there", lambda: asked(inside, "hacheck dns www.example.com --server 10.0.0.2")[0] == 0
        )
        yield inside


def start_postgresql(node: Namespace) -> None:
    as_postgres = ("runuser", "-u", "postgres", "--")
    node.must("install", "-d", "-o", "postgres", "/run/pg")
    node.run(*as_postgres, str(POSTGRES / "initdb"), "-D", "/run/pg/data", "-A", "trust", "--no-sync", timeout=PATIENCE)
    with node.path("/run/pg/data/pg_hba.conf").open("a") as hba:
        hba.write("host all all 10.0.0.0/24 trust\n")
    options = ["-D", "/run/pg/data", "-k", "/run/pg", "-c", "listen_addresses=10.0.0.5", "-c", "fsync=off"]
    node.start(*as_postgres, str(POSTGRES / "postgres"), *options)
    create = (*as_postgres, str(POSTGRES / "createuser"), "-h", "/run/pg", "hacheck")
    wait_until("PostgreSQL has its user", lambda: node.run(*create).returncode == 0)


KEEPALIVED = """
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 1
    priority 254
    notify "sh /etc/keepalive/hacheck notify"
    virtual_ipaddress {
        10.0.0.100/32 dev eth0
    }
}
"""


@pytest.fixture(scope="module")
def observed() -> Iterator[Namespace]:
    """A node with a Keepalived that has one VIP, and an exporter beside it."""
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("needs root, for a namespace of its own")
    with namespace(SETUP) as inside:
        inside.path("/run/hacheck").mkdir()
        shutil.copy(ROOT / "dist/hacheck", inside.path("/etc/keepalive"))
        inside.path("/run/keepalived.conf").write_text(KEEPALIVED)
        inside.start("keepalived", "-n", "-f", "/run/keepalived.conf")
        hacheck = ["env", "NODE_NAME=node-a", sys.executable, "-m", "hachecks"]
        inside.start(*hacheck, "exporter", "--keepalived-config", "/run/keepalived.conf")
        status = "sh /etc/keepalive/hacheck status --url http://10.0.0.5:10112/ | grep -A9 MASTER | grep 'log  *0'"
        wait_until("it serves, and the log has been told", lambda: inside.run("sh", "-c", status).returncode == 0)
        yield inside


def test_the_exporter_runs_as_it_says(tmp_path: Path) -> None:
    if os.geteuid() != 0 and not os.environ.get("CI"):
        pytest.skip("needs root, for a namespace of its own")
    (block,) = blocks("bash")
    install, run = block.splitlines()
    subprocess.run([sys.executable, "-m", "venv", tmp_path], check=True)
    programs = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", install], cwd=ROOT, env=programs, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with namespace("mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /etc/keepalived || true") as inside:
        said: list[str] = []
        inside.start("sh", "-c", f"cd /; PATH={tmp_path}/bin:$PATH exec {run}", heard=said.append)
        ready = ("curl", "--silent", "--fail", "http://127.0.0.1:10112/-/ready")
        wait_until(f"the exporter is ready: {said}", lambda: inside.run(*ready).returncode == 0)


def asked(node: Namespace, command: str) -> tuple[int, str]:
    script = "export NODE_NAME=node-a; " + command.replace("hacheck ", "sh /etc/keepalive/hacheck ", 1)
    done = node.run("sh", "-c", script)
    return done.returncode, done.stdout.rstrip("\n") + done.stderr


@pytest.mark.executable
@pytest.mark.parametrize(("command", "told"), transcripts())
def test_a_recipe_does_what_it_says(request: pytest.FixtureRequest, command: str, told: str) -> None:
    node = request.getfixturevalue("observed" if command.startswith("hacheck status") else "node")
    code, said = asked(node, command)
    lines = told.splitlines() or [""]
    if lines[0].startswith("PASS - in-service"):  # the members of a composition answer in any order
        said, told = " ".join(sorted(said[7:].split("; "))), " ".join(sorted(told[7:].split("; ")))
    assert without_figures(said) == without_figures(told)
    assert code == (1 if lines[0].startswith("FAIL") else 0)


FAKE_KUBECTL = """#!/bin/sh
# A cluster cannot run here: what kubectl would send to it is rendered and held against the Kubernetes schemas.
set -e
case "$1" in
kustomize) exec {kubectl} "$@" ;;
create | replace) test "$2" = -f && exec {python} -m kubernetes_validate "$3" ;;
apply)
    case "$2 $3 $4" in "--server-side -f -") exec {python} -m kubernetes_validate - ;; esac
    shift
    while [ $# -gt 0 ]; do test "$1" = -f && grep -q '^kind: ' "$2" && shift 2; done ;;
patch) test "$2 $3 $4" = "deployment ipfailover-keepalived --patch-file" && test -f "$5" && echo patched ;;
*) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""


@pytest.mark.executable
@pytest.mark.parametrize("command", [line.strip() for block in blocks("sh") for line in block.splitlines()])
def test_a_deployment_command_works(tmp_path: Path, command: str) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(FAKE_KUBECTL.format(kubectl=shutil.which("kubectl"), python=sys.executable))
    kubectl.chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-ec", command], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.executable
def test_the_keepalived_configuration_is_understood(node: Namespace) -> None:
    (script,) = [block for block in blocks("") if "vrrp_script" in block]
    (notify,) = [block for block in blocks("") if block.startswith("notify ")]
    (fifo,) = [block for block in blocks("") if "vrrp_notify_fifo" in block]
    instance = """
vrrp_instance V {
    interface eth0
    virtual_router_id 1
    priority 9
    track_script {
        service
    }
    virtual_ipaddress {
        10.0.0.100
    }
"""
    node.path("/run/keepalived.conf").write_text(f"{fifo}{script}{instance}{notify}}}\n")
    done = node.run("keepalived", "--config-test", "--use-file", "/run/keepalived.conf")
    complaints = [line for line in done.stderr.splitlines() if not line.startswith("SECURITY VIOLATION")]
    assert [line for line in complaints if "resolved by path search" not in line] == []
    assert done.returncode == 6  # scripts without enable_script_security, as OpenShift runs them


def test_the_notifiers_it_declares_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "hacheck.toml"
    path.write_text(blocks("toml")[1])
    declared = Configuration.read(str(path))
    assert channels_of(declared, {}).keys() == declared.notifiers.keys()


def test_every_probe_has_its_recipe() -> None:
    assert {str(command.values[0]).split()[1] for command in transcripts()} >= set(PROBES)


def test_every_make_target_it_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in re.findall(r"`make ([a-z ]+)`", README):
        assert set(words.split()) <= targets
