"""Every command in README.md, CONTRIBUTING.md and docs/ does what it says there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import trustme
import yaml

from hachecks.exporter.metrics import all_metrics
from hachecks.exporter.web_config.config import WebConfig
from tests.cli import ROOT, hacheck

from .failover.namespace import PATIENCE, Namespace, namespace, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark import ParameterSet

README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
RECIPES = {"dns", "file", "http", "nodeport", "sql", "tcp"}
"""The probes that have a recipe in README.md: what people come for."""
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
PROGRAM = f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m hachecks "$@"\n'
"""The package as it is installed: more commands than the executable has."""
PLANNING = "hacheck ipfailover "
"""How the commands begin that are run where somebody plans, by the package: they change nothing but their ledger."""
POSTGRES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nonexistent"))


class Block(NamedTuple):
    """A block of code: the page it is on, its language, and what is in it."""

    page: Path
    language: str
    text: str


BLOCKS = [Block(page, *found) for page in PAGES for found in BLOCK.findall(page.read_text())]


def blocks(kind: str, page: Path | None = None) -> list[str]:
    """The blocks in a language, of one page or of all."""
    return [one.text for one in BLOCKS if one.language == kind and page in (None, one.page)]


def transcripts() -> list[ParameterSet]:
    """Each `$ command` with what it is said to print, and the page; what several pages say alike is run once."""
    found: dict[tuple[str, str], Path] = {}
    for page in PAGES:
        for command, told in said_on(page):
            if not command.startswith(PLANNING):
                found.setdefault((command, told), page)
    return [pytest.param(page, *said, id=f"{page.stem}: {said[0]}") for said, page in found.items()]


def said_on(page: Path) -> Iterator[tuple[str, str]]:
    """Each `$ command` of a page with what it is said to print, in the page's order."""
    for text in blocks("console", page):
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, told = part.partition("\n")
            yield command, told.rstrip("\n")


def configuration_of(page: Path) -> str:
    """The hacheck.toml that a page's commands are run with: its own where it declares what `run vip` needs."""
    texts = [text for text in blocks("toml", page) if "[check.vip]" in text]
    return texts[0] if texts else configuration_of(README)


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
        for page in PAGES:
            (keepalive / f"{page.stem}.toml").write_text(configuration_of(page))
        shutil.copy(keepalive / "README.toml", keepalive / "hacheck.toml")
        authority.cert_pem.write_to_path(str(keepalive / "ca.pem"))
        said: list[str] = []
        services = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.readme_services"]
        inside.start(*services, str(certificate), heard=said.append)
        start_postgresql(inside)
        wait_until(f"the services are there: {said}", lambda: "ready" in said)
        dns = "hacheck dns www.example.com --server 10.0.0.2"
        wait_until("the name server is there", lambda: asked(inside, README, dns)[0] == 0)
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
    (block,) = blocks("bash", README)
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


def asked(node: Namespace, page: Path, command: str) -> tuple[int, str]:
    environ = f"export NODE_NAME=node-a HACHECK_CONFIG=/etc/keepalive/{page.stem}.toml; "
    done = node.run("sh", "-c", environ + command.replace("hacheck ", "sh /etc/keepalive/hacheck ", 1))
    return done.returncode, done.stdout.rstrip("\n") + done.stderr


@pytest.mark.executable
@pytest.mark.parametrize(("page", "command", "told"), transcripts())
def test_a_recipe_does_what_it_says(request: pytest.FixtureRequest, page: Path, command: str, told: str) -> None:
    node = request.getfixturevalue("observed" if command.startswith("hacheck status") else "node")
    code, said = asked(node, page, command)
    lines = told.splitlines() or [""]
    if lines[0].startswith("PASS - in-service"):  # the members of a composition answer in any order
        said, told = " ".join(sorted(said[7:].split("; "))), " ".join(sorted(told[7:].split("; ")))
    assert without_figures(said) == without_figures(told)
    assert code == (1 if lines[0].startswith("FAIL") else 0)


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in PAGES])
def test_what_is_planned_comes_out_as_it_says(tmp_path: Path, page: Path) -> None:
    program = tmp_path / "bin/hacheck"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    (tmp_path / "configmaps").symlink_to(ROOT / "configmaps")
    deployment = (ROOT / "tests/ipfailover-deployment.yaml").read_text()
    (tmp_path / "deployment.yaml").write_text(deployment)
    (tmp_path / "changed.yaml").write_text(deployment.replace("10.0.0.100-101", "10.0.0.99-101"))
    environ = {"PATH": f"{program.parent}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    for command, told in said_on(page):
        if command.startswith(PLANNING):
            done = subprocess.run(
                ["sh", "-c", command], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
            )
            assert (done.stdout + done.stderr).rstrip("\n") == told, command


COMPLETION = [(one.language, one.text) for one in BLOCKS if " completion " in one.text]


@pytest.mark.executable
@pytest.mark.parametrize(("shell", "script"), [pytest.param(*one, id=one[0]) for one in COMPLETION])
def test_completion_is_taken_by_the_shell(node: Namespace, shell: str, script: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: apt-get install {shell}")
    prepared = "autoload -U compinit; compinit -u -D; " if shell == "zsh" else ""
    done = node.run(shell, "-c", f"{prepared}{script}\nhacheck version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("hacheck ")


def test_completion_is_shown_for_every_shell() -> None:
    assert sorted(shell for shell, _ in COMPLETION) == ["bash", "fish", "zsh"]


FAKE_CLUSTER = """#!/bin/sh
# A cluster cannot run here: what oc or kubectl would send to it is rendered and held against the Kubernetes schemas.
set -e
case "$1" in
kustomize) exec {kubectl} "$@" ;;
create | replace) test "$2" = -f && exec {python} -m kubernetes_validate "$3" ;;
apply)
    case "$2 $3 $4" in "--server-side -f -") exec {python} -m kubernetes_validate - ;; esac
    shift
    if [ "$*" = "-f -" ]; then exec {python} -c '{VALIDATE}'; fi
    while [ $# -gt 0 ]; do test "$1" = -f && grep -q '^kind: ' "$2" || exit 1; shift 2; done ;;
patch) test "$2 $3 $4" = "deployment ipfailover-keepalived --patch-file" && test -f "$5" && echo patched ;;
set) test "$2 $3 $4" = "env deployment/ipfailover-keepalived OPENSHIFT_HA_NOTIFY_SCRIPT=${{4#*=}}" &&
    test "${{4#*=}}" = "sh /etc/keepalive/hacheck notify" ;;
exec) test "$2 $3 $4 $5 $6" = "deployment/ipfailover-keepalived -- sh /etc/keepalive/hacheck run" && test -n "$7" ;;
*) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""
VALIDATE = """
import sys, kubernetes_validate, yaml
found = [one for one in yaml.safe_load_all(sys.stdin) if "openshift" not in one["apiVersion"]]
for one in found:
    kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)
sys.exit(not any(one["kind"] == "DaemonSet" for one in found))
"""
DEPLOYMENT = dict.fromkeys(line.strip() for block in blocks("sh") for line in block.splitlines())


@pytest.mark.executable
@pytest.mark.parametrize("command", DEPLOYMENT)
def test_a_deployment_command_works(tmp_path: Path, command: str) -> None:
    for name in ("oc", "kubectl"):
        fake = tmp_path / name
        fake.write_text(FAKE_CLUSTER.format(kubectl=shutil.which("kubectl"), python=sys.executable, VALIDATE=VALIDATE))
        fake.chmod(0o755)
    (tmp_path / "hacheck").write_text(PROGRAM)
    (tmp_path / "hacheck").chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-ec", command], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.executable
def test_the_keepalived_configuration_is_understood(node: Namespace) -> None:
    (script,) = {block for block in blocks("") if "vrrp_script" in block}
    (notify,) = {block for block in blocks("") if block.startswith("notify ")}
    (fifo,) = {block for block in blocks("") if "vrrp_notify_fifo" in block}
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


@pytest.mark.executable
def test_the_keepalived_configuration_of_the_agent_is_understood(node: Namespace) -> None:
    (text,) = blocks("keepalived")
    node.path("/run/agent.conf").write_text(text)
    done = node.run("keepalived", "--config-test", "--use-file", "/run/agent.conf")
    complaints = [line for line in done.stderr.splitlines() if not line.startswith("SECURITY VIOLATION")]
    assert [line for line in complaints if "resolved by path search" not in line] == []
    (file,) = re.findall(r'file "(.*)"', text)
    assert any(f'track_file = "{file}"' in one for one in blocks("toml", ROOT / "docs/agent.md"))


DECLARED = [
    pytest.param(one.text, id=f"{one.page.stem}-{at}") for at, one in enumerate(BLOCKS) if one.language == "toml"
]


@pytest.mark.parametrize("text", DECLARED)
def test_what_it_declares_is_understood(tmp_path: Path, text: str) -> None:
    path = tmp_path / "hacheck.toml"
    path.write_text(text)
    answer = hacheck("checks", "--config", path)
    assert (answer.code, answer.err) == (0, "")
    declared = re.findall(r"^\[\w+\.(.+)\]$", text, re.MULTILINE)
    assert sorted(line.split()[0] for line in answer.out.splitlines()) == sorted(declared)


def test_the_exporter_takes_the_web_configuration(tmp_path: Path) -> None:
    (text,) = [block for block in blocks("yaml") if "tls_server_config" in block]
    certificate = trustme.CA().issue_cert("node-a")
    certificate.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "server.crt"))
    path = tmp_path / "web.yml"
    path.write_text(text)
    assert WebConfig.read(str(path)).ssl_context() is not None


def test_the_notify_script_is_the_one_of_the_exporters_patch() -> None:
    (text,) = [block for block in blocks("yaml") if "OPENSHIFT_HA_NOTIFY_SCRIPT" in block]
    patch = yaml.safe_load((ROOT / "configmaps/exporter-patch.yaml").read_text())
    keepalived, _ = patch["spec"]["template"]["spec"]["containers"]
    assert yaml.safe_load(text) == keepalived["env"]


METRIC = re.compile(r"\bhachecks_\w+")


def test_every_metric_that_is_served_is_documented(observed: Namespace) -> None:
    served = observed.run("curl", "--silent", "http://10.0.0.5:10112/metrics").stdout
    families = {name for name in re.findall(r"^# TYPE (\S+)", served, re.MULTILINE) if name.startswith("hachecks_")}
    assert len(families) > 20
    assert families - set(METRIC.findall((ROOT / "docs/exporter.md").read_text())) == set()


def test_every_metric_that_is_documented_is_declared() -> None:
    documented = set(METRIC.findall((ROOT / "docs/exporter.md").read_text()))
    assert documented - {one.name for one in all_metrics()} == set()


def test_the_readme_has_a_recipe_for_what_people_come_for() -> None:
    commands = [
        command for block in blocks("console", README) for command in re.findall(r"^\$ hacheck (\w+)", block, re.M)
    ]
    assert set(commands) >= RECIPES


@pytest.mark.parametrize("page", [pytest.param(page, id=page.stem) for page in PAGES])
def test_every_make_target_it_names_is_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in re.findall(r"`make ([a-z ]+)", page.read_text()):
        assert set(words.split()) <= targets
