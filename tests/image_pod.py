"""A container of the image as a runtime starts one: its own root, which is read-only, and no right that is not given.

It is in the network of a namespace, as with hostNetwork, has processes and mounts of its own, and its program is
process 1. What the kubelet mounts are directories of that namespace.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.failover.configmap import ConfigMap
from tests.failover.namespace import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.failover.namespace import Namespace

# As runc does it: devices that hold nothing, /sys and /proc/sys read-only, and a root that the old one is not behind.
START = """
set -e
root=$1; written=$2; mounts=$3; rights=$4; shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t tmpfs -o mode=0755,nosuid tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/shm"
mount -t tmpfs -o mode=1777,nosuid,nodev,noexec tmpfs "$root/dev/shm"
for one in $written; do
    mkdir -p "$root$one"
    mount -t tmpfs -o mode=0777 tmpfs "$root$one"
done
for one in $mounts; do
    path=${one#*:}
    mkdir -p "$root${path%:*}"
    mount --bind "${one%%:*}" "$root${path%:*}"
    mount -o "remount,bind,${path#*:}" "$root${path%:*}"
done
mount -o remount,bind,ro "$root"
cd "$root"
pivot_root . .
umount -l .
cd /
eval "exec setpriv --no-new-privs $rights env -i \\"\\$@\\""
"""
WRITTEN = ("/run", "/tmp", "/etc/keepalived")
"""Where the manifests have an emptyDir."""
RIGHTS = ("NET_ADMIN", "NET_RAW", "SETGID")
"""The capabilities that they add, and no others."""
ASK = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())"


class Container:
    """A program of the image that runs; `lines` is what it says."""

    def __init__(
        self,
        root: Path,
        node: Namespace,
        *words: str,
        mounts: Mapping[str, str] | None = None,
        rights: Sequence[str] = RIGHTS,
        user: str = "0",
        written: Sequence[str] = WRITTEN,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.lines: list[str] = []
        self._node = node
        capabilities = ",".join(["-all", *(f"+{one.lower()}" for one in rights)])
        # Kubernetes gives capabilities to root alone: it has no ambient ones.
        options = [f"--bounding-set={capabilities}", "--inh-caps=-all", "--ambient-caps=-all", "--clear-groups"]
        if user != "0":
            options = [*options, f"--reuid={user}", "--regid=0"]
        given = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **(environ or {})}
        self.process = node.start(
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", START, "start"),
            *(str(root), " ".join(written), " ".join(_mounted(*one) for one in (mounts or {}).items())),
            *(" ".join(options), *(f"{name}={value}" for name, value in given.items()), *words),
            heard=self.lines.append,
        )

    @property
    def said(self) -> str:
        """What it has said until now."""
        return "\n".join(self.lines)

    def wait_for(self, text: str) -> None:
        """See it say something."""
        wait_until(f"{text!r} in what it says", lambda: text in self.said or not self.process.running)
        assert text in self.said, self.said

    def stop(self) -> int | None:
        """SIGTERM for its process 1, as the runtime does; its exit status."""
        self._node.must("kill", str(self.first()))
        return self.end()

    def end(self) -> int | None:
        """Wait until it has ended; its exit status, -9 where that had to be made."""
        self.process.end(within=PATIENCE)
        return self.process.code

    def first(self) -> int:
        """Its process 1, as its node numbers it."""
        (pid,) = self._node.must("pgrep", "-P", str(self.process.pid_inside)).split()
        return int(pid)


class Pod(NamedTuple):
    """What the kubelet is told of a pod of one container: `config_maps` are its volumes of these, by their names."""

    words: Sequence[str]
    environ: Mapping[str, str]
    rights: Sequence[str]
    user: str
    written: Sequence[str]
    mounts: Mapping[str, str]
    config_maps: Mapping[str, ConfigMap]

    def start(self, root: Path, node: Namespace) -> Container:
        """Start it."""
        return Container(
            root,
            node,
            *self.words,
            mounts=self.mounts,
            rights=self.rights,
            user=self.user,
            written=self.written,
            environ=self.environ,
        )


def pod_of(objects: Sequence[Mapping[str, Any]], node: Namespace, facts: Mapping[str, str]) -> Pod:
    """What Kubernetes objects come to on a node; `facts` are what the kubelet knows of it by the path of a field."""
    (workload,) = (one for one in objects if one["kind"] in ("DaemonSet", "Deployment"))
    spec = workload["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["hostNetwork"] is True
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"]["drop"] == ["ALL"]
    environ = {
        one["name"]: one["value"] if "value" in one else facts[one["valueFrom"]["fieldRef"]["fieldPath"]]
        for one in container.get("env", ())
    }
    words = [*container.get("command", ()), *container.get("args", ())]
    for name, value in environ.items():
        words = [word.replace(f"$({name})", value) for word in words]
    data = {one["metadata"]["name"]: one["data"] for one in objects if one["kind"] == "ConfigMap"}
    volumes = {one["name"]: one for one in spec["volumes"]}
    written, mounts, config_maps = [], {}, {}
    for one in container["volumeMounts"]:
        volume, path = volumes[one["name"]], one["mountPath"]
        if "emptyDir" in volume:
            written.append(path)
        elif "configMap" in volume:
            name = volume["configMap"]["name"]
            node.must("mkdir", "-p", f"/run/volumes/{name}")
            config_maps[name] = ConfigMap(node.path(f"/run/volumes/{name}"))
            config_maps[name].replace({key: text.encode() for key, text in data[name].items()}, mode=0o644)
            mounts[path] = f"/run/volumes/{name}"
        else:
            node.must("mkdir", "-p", f"/run/host{volume['hostPath']['path']}")
            mounts[f"{path}:rw"] = f"/run/host{volume['hostPath']['path']}"
    return Pod(words, environ, context["capabilities"]["add"], str(context["runAsUser"]), written, mounts, config_maps)


def _mounted(path: str, source: str) -> str:
    return f"{source}:{path}" if path.endswith(":rw") else f"{source}:{path}:ro"


def get(node: Namespace, path: str, port: int = 10112) -> str:
    """What is answered on a port of the node."""
    return node.must(sys.executable, "-c", ASK, f"http://127.0.0.1:{port}{path}")


def addresses(node: Namespace, interface: str) -> set[str]:
    """The addresses of an interface."""
    (found,) = json.loads(node.must("ip", "-json", "address", "show", "dev", interface))
    return {one["local"] for one in found["addr_info"]}
