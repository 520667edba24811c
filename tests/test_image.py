"""The image: what is in it, and that a pod of it works with the rights that the manifests give, and with no more.

A test that takes a right away, or a place to write, sees that it says so in one line.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest
import yaml

from hachecks import __version__
from tests.cli import ROOT, hacheck
from tests.failover.bridge import SETUP, plug
from tests.failover.configmap import ConfigMap
from tests.failover.namespace import namespace, wait_until
from tests.failover.requirements import EXECUTABLE, missing_command
from tests.image import CONTAINERFILE, image, instructions, packages
from tests.image_pod import RIGHTS, WRITTEN, Container, addresses, get, pod_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.failover.namespace import Namespace

SETGID, NET_ADMIN, NET_RAW = 1 << 6, 1 << 12, 1 << 13
MOST = 240 * 1024 * 1024
"""Bytes of all its files, of which Debian's own are two thirds."""
VIPS = {"10.79.1.1", "10.79.1.2", "fd79::1:1"}
VARIABLES = """\
OPENSHIFT_HA_CONFIG_NAME=router
OPENSHIFT_HA_VIRTUAL_IPS=10.79.1.1-2,fd79::1:1
OPENSHIFT_HA_NETWORK_INTERFACE=eth0
OPENSHIFT_HA_VRRP_VERSION=3
OPENSHIFT_HA_ADVERT_INT=0.2
OPENSHIFT_HA_IPTABLES_CHAIN=INPUT
OPENSHIFT_HA_CHECK_SCRIPT="sh -c 'hacheck run service'"
"""
CHECKS = '[check.service]\nprobe = "file"\npath = "/run/hacheck/maintenance"\nabsent = true\n'
RUN = ("hacheck", "ipfailover", "run", "--env-file", "/etc/hachecks/variables.env")
MOUNTS = {"/etc/hachecks": "/run/variables", "/etc/keepalive": "/run/checks"}
NODE_SETUP = """
mount -t tmpfs tmpfs /run
mkdir /run/variables /run/checks
sysctl --quiet --write net.ipv6.conf.default.addr_gen_mode=1
"""
FAILING = """\
vrrp_script fails {
    script "/bin/false"
    interval 1
}
vrrp_instance one {
    interface eth0
    virtual_router_id 9
    priority 200
    version 3
    advert_int 0.2
    track_script {
        fails
    }
    virtual_ipaddress {
        10.79.1.1
    }
}
"""
ANYBODY = "1000690000"
"""A user as OpenShift gives a namespace."""


class Node(NamedTuple):
    """A node with the ConfigMaps of a pod, and the image's root."""

    root: Path
    inside: Namespace
    variables: ConfigMap

    def run(self, rights: Sequence[str] = RIGHTS, user: str = "0", written: Sequence[str] = WRITTEN) -> Container:
        """Start the pod."""
        environ = {"NODE_NAME": "node-a"}
        mounts = dict(MOUNTS)
        return Container(
            self.root, self.inside, *RUN, mounts=mounts, rights=rights, user=user, written=written, environ=environ
        )

    def serves(self, vips: set[str]) -> bool:
        """Whether it has these VIPs."""
        return vips <= addresses(self.inside, "eth0")

    def has_none(self) -> bool:
        """Whether it has no VIP."""
        return not VIPS & addresses(self.inside, "eth0")


pytestmark = pytest.mark.executable


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    lack = missing_command("apt-get", "dpkg-deb", "ip", "nft", "nsenter", "setpriv", "unshare", "curl")
    if lack is None and not EXECUTABLE.exists():
        lack = f"{EXECUTABLE} is not built: make executable"
    if lack and os.environ.get("CI"):
        pytest.fail(lack)
    elif lack:
        pytest.skip(lack)
    with image() as found:
        yield found


@contextmanager
def made(root: Path) -> Iterator[Node]:
    with ExitStack() as stack:
        switch = stack.enter_context(namespace(SETUP))
        inside = stack.enter_context(namespace(NODE_SETUP))
        plug(inside, switch, "node-a", "10.79.0.1/16", "fd79::1/64", "fe80::1/64")
        variables = ConfigMap(inside.path("/run/variables"))
        variables.replace({"variables.env": VARIABLES.encode()}, mode=0o644)
        ConfigMap(inside.path("/run/checks")).replace({"hacheck.toml": CHECKS.encode()}, mode=0o644)
        yield Node(root, inside, variables)


@pytest.fixture(scope="module")
def node(root: Path) -> Iterator[Node]:
    """A node for pods that come to nothing."""
    with made(root) as found:
        yield found


def test_the_image_says_what_it_is() -> None:
    labels = instructions("LABEL")[0]
    assert f'image.version="{__version__}"' in labels
    assert "io.k8s.description=" in labels
    assert instructions("ENTRYPOINT") == ['["hacheck"]']
    assert instructions("USER") == ["65534:65534"]
    assert instructions("EXPOSE") == ["10112"]
    assert packages() == ["keepalived", "nftables", "iptables", "python3"]
    assert re.search(r"^ARG DEBIAN=\w+$", CONTAINERFILE, re.MULTILINE)


def test_it_is_small_and_has_nothing_that_builds_or_gives_rights(root: Path) -> None:
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < MOST
    assert [path for path in files if path.stat().st_mode & 0o6000] == []
    names = {path.name for path in files}
    assert not names & {"gcc", "cc", "make", "pip", "pip3", "ld", "curl", "wget", "nc"}
    assert {"hacheck", "keepalived", "nft", "xtables-nft-multi", "xtables-legacy-multi"} <= names
    assert not list(root.glob("usr/local/lib/python3*/dist-packages/pip"))
    assert list(root.glob("usr/local/lib/python3*/dist-packages/hachecks/ipfailover/pod/main.py"))
    assert (root / "etc/keepalive/hacheck").stat().st_mode & 0o777 == 0o755
    assert "RUN python3 -m hachecks.executable.build --output /etc/keepalive/hacheck\n" in CONTAINERFILE


def test_the_exporter_runs_as_whoever_openshift_says_and_needs_no_right(root: Path) -> None:
    with made(root) as node:
        exporter = Container(root, node.inside, "hacheck", "exporter", rights=(), user=ANYBODY, written=())
        exporter.wait_for("serving http://0.0.0.0:10112/")
        assert "hachecks_build_info{" in get(node.inside, "/metrics")
        assert capabilities(node.inside, exporter.first()) == 0
        assert exporter.stop() == 0, exporter.said


def test_the_agent_of_the_patch_runs_in_it_with_the_rights_that_the_patch_gives(root: Path) -> None:
    patch = yaml.safe_load((ROOT / "configmaps" / "agent-patch.yaml").read_text())
    (agent,) = (one for one in patch["spec"]["template"]["spec"]["containers"] if one["name"] == "hacheck-agent")
    context = agent["securityContext"]
    assert (context["readOnlyRootFilesystem"], context["capabilities"]["drop"]) == (True, ["ALL"])
    with made(root) as node:
        given = {"rights": context["capabilities"]["add"], "user": str(context["runAsUser"])}
        written = ("/run/hacheck", "/etc/keepalived")
        mounts = {"/etc/keepalive": MOUNTS["/etc/keepalive"]}
        pod = Container(root, node.inside, *agent["command"], mounts=mounts, written=written, **given)
        pod.wait_for("serving http://0.0.0.0:10112/")
        said = re.compile(r'^hachecks_check_\w+{.*check="service".*} 1$', re.MULTILINE)
        wait_until("its check has run", lambda: bool(said.search(get(node.inside, "/metrics"))))
        assert pod.stop() == 0, pod.said
        assert "Traceback" not in pod.said


def capabilities(node: Namespace, process: int) -> int:
    """The effective capabilities of a process."""
    return int(re.findall(r"^CapEff:\t(\w+)", node.path(f"/proc/{process}/status").read_text(), re.MULTILINE)[0], 16)


def processes(node: Namespace, first: int) -> list[int]:
    """A process and two generations below it: the next one are Keepalived's checks, which come and go."""
    found, generation = [first], [first]
    for _ in range(2):
        generation = [int(pid) for one in generation for pid in node.run("pgrep", "-P", str(one)).stdout.split()]
        found += generation
    return found


def tells(metrics: str, vips: set[str]) -> bool:
    """Whether they have all VIPs as present, and the check."""
    there = (
        re.search(rf'^hachecks_vip_present{{.*vip="{re.escape(vip)}".*}} 1$', metrics, re.MULTILINE) for vip in vips
    )
    return all(there) and bool(re.search(r'^hachecks_check_\w+{.*check="service".*} ', metrics, re.MULTILINE))


def test_what_manifests_writes_serves_vips_reloads_and_ends_with_three_capabilities_alone(
    root: Path, tmp_path: Path
) -> None:
    (tmp_path / "hacheck.toml").write_text(CHECKS)
    words = ["router", "--virtual-ips", "10.79.1.1-2,fd79::1:1", "--interface", "eth0", "--nodes", "node-a"]
    words += ["--vrrp-version", "3", "--advert-int", "0.2", "--iptables-chain", "INPUT"]
    words += [
        "--check-script",
        "sh /etc/keepalive/hacheck run service",
        "--config",
        str(tmp_path / "hacheck.toml"),
        "--format",
        "json",
    ]
    written = hacheck("ipfailover", "manifests", *words)
    assert written.code == 0, written
    with made(root) as node:
        inside = node.inside
        objects = json.loads(written.out)["items"]
        manifest = pod_of(objects, inside, {"spec.nodeName": "node-a", "status.hostIP": "10.79.0.1"})
        assert sorted(manifest.rights) == sorted(RIGHTS)
        rules = inside.must("nft", "list", "ruleset")
        pod = manifest.start(root, inside)
        wait_until("all VIPs are there", lambda: node.serves(VIPS) or not pod.process.running)
        assert node.serves(VIPS), pod.said
        wait_until("it is ready", lambda: inside.run("curl", "-sf", "http://127.0.0.1:10112/-/ready").returncode == 0)
        wait_until("it tells of VIPs and check", lambda: tells(get(inside, "/metrics"), VIPS))
        assert get(inside, "/-/healthy").strip() == "healthy"
        assert "224.0.0.18" in inside.must("nft", "list", "ruleset")

        everybody = processes(inside, pod.first())
        rights = [(inside.path(f"/proc/{one}/cmdline").read_bytes(), capabilities(inside, one)) for one in everybody]
        assert rights[0][1] == SETGID | NET_ADMIN | NET_RAW
        assert [mask for words, mask in rights if words.startswith(b"keepalived\0")] == [
            SETGID | NET_ADMIN | NET_RAW
        ] * 2
        # What asks services and serves pages hears the segment, and has given up the network's rights after that.
        assert [mask for words, mask in rights if b"\0agent\0" in words] == [SETGID]

        maintenance = inside.path(f"/proc/{pod.first()}/root/run/hacheck/maintenance")
        maintenance.touch()
        wait_until("the failing check takes all VIPs away", node.has_none)
        maintenance.unlink()
        wait_until("all VIPs are back", lambda: node.serves(VIPS))

        (data,) = (one["data"] for one in objects if one["kind"] == "ConfigMap")
        more = {key: text.replace("10.79.1.1-2", "10.79.1.1-3").encode() for key, text in data.items()}
        manifest.config_maps["ipfailover-router"].replace(more, mode=0o644)
        wait_until("the new VIP is there", lambda: node.serves({*VIPS, "10.79.1.3"}))
        assert set(everybody) <= set(processes(inside, pod.first()))

        assert pod.stop() == 0, pod.said
        assert not {*VIPS, "10.79.1.3"} & addresses(inside, "eth0")
        assert inside.must("nft", "list", "ruleset") == rules
        assert "Traceback" not in pod.said
        assert not re.search("denied|not permitted", pod.said), pod.said


class Taken(NamedTuple):
    """A pod with less than it needs, and what it says."""

    name: str
    says: str
    rights: Sequence[str] = RIGHTS
    user: str = "0"
    written: Sequence[str] = WRITTEN


ADD = "add it to securityContext.capabilities.add"
FATAL = [
    Taken(
        "SETGID",
        "hacheck: run: there is no CAP_SETGID, which Keepalived needs to start checks, each of which it would take for "
        f"one that passes; {ADD}",
        rights=("NET_ADMIN", "NET_RAW"),
    ),
    Taken(
        "NET_ADMIN",
        f"hacheck: run: there is no CAP_NET_ADMIN, which Keepalived needs to put VIPs on the interface; {ADD}",
        rights=("NET_RAW", "SETGID"),
    ),
    Taken(
        "NET_RAW",
        "hacheck: run: there is no CAP_NET_RAW, which Keepalived needs to send and hear adverts, which are IP protocol "
        f"112; {ADD}",
        rights=("NET_ADMIN", "SETGID"),
    ),
    Taken(
        "the user",
        f"hacheck: run: this runs as uid {ANYBODY}, and Keepalived needs root; set securityContext.runAsUser to 0",
        user=ANYBODY,
    ),
]
"""Pods that end at once."""


@pytest.mark.parametrize("taken", [pytest.param(one, id=one.name) for one in FATAL])
def test_without_a_right_it_ends_and_says_which(node: Node, taken: Taken) -> None:
    pod = node.run(taken.rights, taken.user, taken.written)
    assert pod.end() == 1, pod.said
    assert taken.says in pod.lines
    assert "Traceback" not in pod.said
    assert node.has_none()


WAITING = [
    Taken(
        "/etc/keepalived",
        "/etc/keepalived/keepalived.conf: Read-only file system; mount an emptyDir there",
        written=[path for path in WRITTEN if path != "/etc/keepalived"],
    ),
    Taken(
        "/run",
        "/run cannot be written, where Keepalived's pid file is; mount an emptyDir there, or use --pid-file",
        written=[path for path in WRITTEN if path != "/run"],
    ),
]
"""Pods that serve nothing until it is mended."""


@pytest.mark.parametrize("taken", [pytest.param(one, id=one.name) for one in WAITING])
def test_without_a_place_to_write_it_says_which(node: Node, taken: Taken) -> None:
    pod = node.run(taken.rights, taken.user, taken.written)
    pod.wait_for(taken.says)
    assert node.has_none()
    pod.stop()


def test_without_setgid_keepalived_takes_every_check_for_one_that_passes(root: Path) -> None:
    with made(root) as node:
        (node.inside.path("/run/checks") / "keepalived.conf").write_text(FAILING)
        words = ("keepalived", "-n", "-l", "-f", "/etc/keepalive/keepalived.conf")
        keepalived = Container(root, node.inside, *words, mounts=MOUNTS, rights=("NET_ADMIN", "NET_RAW"))
        keepalived.wait_for("VRRP_Script(fails) succeeded")
        assert "Couldn't setgroups: 0 (Operation not permitted)" in keepalived.said
        wait_until("it has the VIP of a service that is dead", lambda: node.serves({"10.79.1.1"}))
        keepalived.stop()
        keepalived = Container(root, node.inside, *words, mounts=MOUNTS)
        keepalived.wait_for("VRRP_Script(fails) failed (exited with status 1)")
        assert node.has_none()
        keepalived.stop()


def test_a_pod_needs_no_tmp_and_asks_for_another_right_only_for_real_time(root: Path) -> None:
    with made(root) as node:
        urgent = f"{VARIABLES}OPENSHIFT_HA_VERBATIM_GLOBAL=vrrp_priority -20\n"
        node.variables.replace({"variables.env": urgent.encode()}, mode=0o644)
        pod = node.run(written=[path for path in WRITTEN if path != "/tmp"])
        pod.wait_for("vrrp_priority needs CAP_SYS_NICE, which is not there; add it to securityContext.capabilities.add")
        wait_until("all VIPs are there", lambda: node.serves(VIPS))
        assert pod.stop() == 0, pod.said
        pod = node.run([*RIGHTS, "SYS_NICE"])
        wait_until("all VIPs are there", lambda: node.serves(VIPS))
        assert "SYS_NICE" not in pod.said
        assert pod.stop() == 0, pod.said


@pytest.mark.executable
def test_checks_find_the_executable_where_they_expect_it(root: Path) -> None:
    words = ["chroot", str(root), "sh", "/etc/keepalive/hacheck", "version"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"hacheck {__version__}")
