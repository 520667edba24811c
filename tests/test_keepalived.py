"""What Keepalived reads in a configuration is what we read, and half a configuration is refused or gives a part."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hachecks.keepalived import (
    Configuration,
    Unreadable,
    VirtualAddress,
    VrrpScript,
    hacheck_command,
    read_configuration,
    vips_of,
)
from hachecks.keepalived_parser import split_command
from tests.failover.cluster import CONFIGURATION
from tests.failover.namespace import namespace, wait_until
from tests.failover.requirements import missing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OPENSHIFT = """
global_defs {
    notification_email {
        root@localhost
    }
    enable_script_security
    script_user root
    max_auto_priority 99
}

vrrp_script chk_ipfailover {
    script "</dev/tcp/10.0.0.9/80"
    interval 2
}

vrrp_instance ipfailover_VIP_1 {
    interface eth0
    state BACKUP
    virtual_router_id 1
    priority 6

    authentication {
        auth_type PASS
        auth_pass R0cks4all
    }

    track_script {
        chk_ipfailover
    }

    notify "/etc/keepalive/mynotifyscript.sh"

    virtual_ipaddress {
        10.0.0.1 dev eth0
        10.0.0.2/32 dev eth0
    }
}

vrrp_instance ipfailover_VIP_2 {
    virtual_ipaddress {

        10.0.0.3 dev eth0
    }
    virtual_ipaddress_excluded {
        fd00::1/64 dev eth0
    }
}
"""

RICH = {
    "keepalived.conf": r"""! Configuration File for keepalived
global_defs {
    enable_script_security   # "
    script_user root
    router_id ${_INSTANCE}
    max_auto_priority 99
}
@main   $PRIORITY=240
@^main  $PRIORITY=200
$NET=10.0.${SUB}
$SUB=0
$SUB=1
$IF_MAIN=@main
vrrp_script chk_web { script "sh -c 'exit 0' \"its # me\"" # {
    interval 2
    timeout 1 }
vrrp_script chk_rise
{
    script "/usr/bin/true"
    interval 3
    rise 2
    fall 3
    weight 0
}
vrrp_sync_group "G 1" {
    group { VI_1 VI_2
        VI_3 }
    track_script {
        chk_rise
    }
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority $PRIORITY
    $IF_MAIN advert_int 2
    @other priority 9
    notify "/usr/bin/true } vrrp_instance X {" # { not one
    virtual_ipaddress {
        ${NET}.1/24 brd 10.0.1.255 dev eth0 scope global label eth0:vip
        # 10.9.9.9
        ~SEQ(LAST, 10, 5, 20) ${NET}.${LAST}
        !10.9.9.8
        include conf.d/vips.inc
    } virtual_ipaddress_excluded { 10.0.2.1 dev eth1
        fd00::0:1/64 dev eth1
        ~LST({C, D}, {1, 9}, {2, 8}) 192.168.${C}.${D}/24 dev eth1
    }
}
include conf.d/*.conf
vrrp_instance VI_1 {
    interface eth1
    virtual_router_id 99
    virtual_ipaddress { 10.9.9.7 }
}
$INSTANCE= \
vrrp_instance VM_${NUM} { \
    interface eth1 # not eth0 \
    # unlike others \
    virtual_router_id 6${NUM} \
    use_vmac vm.${NUM} \
    virtual_ipaddress { \
        10.6.${NUM}.1 \
    } \
}

~SEQ(NUM, 2) $INSTANCE
""",
    "conf.d/vips.inc": """10.0.3.1
10.0.3.2
""",
    "conf.d/a.conf": """vrrp_instance VI_2
{
    interface eth1
    virtual_router_id 52
    unicast_peer {
        10.1.0.3
    }
    virtual_ipaddress
    {
        10.1.2.1/24
        10.1.2.2 dev eth0
    }
}
include more/{x,y}.conf
""",
    "conf.d/more/x.conf": """vrrp_instance VI_3 { interface eth0
 virtual_router_id 53
 use_vmac
 virtual_ipaddress { 10.3.0.1 } }
""",
    "conf.d/more/y.conf": """vrrp_instance VI_4 { interface eth0
 virtual_router_id 54
 track_script { chk_web weight 2
 }
 virtual_ipaddress { fd00::4:0:1
 } }
""",
    "conf.d/z.conf": "vrrp_instance NOT {",
}
"""What real configurations use, and what is easily read wrong; Keepalived passes over z.conf, which is executable."""


def test_what_openshift_generates() -> None:
    assert vips_of(OPENSHIFT) == {
        "ipfailover_VIP_1": ["10.0.0.1", "10.0.0.2"],
        "ipfailover_VIP_2": ["10.0.0.3", "fd00::1"],
    }


@pytest.mark.parametrize(
    ("text", "vips"),
    [
        pytest.param("vrrp_instance V { virtual_ipaddress { 10.0.0.1 } }", {"V": ["10.0.0.1"]}, id="one-line"),
        pytest.param(
            "vrrp_instance V { state BACKUP\n virtual_ipaddress { 10.0.0.1/24 dev e0\n fd00::1 }\n}",
            {"V": ["10.0.0.1", "fd00::1"]},
            id="partly-one-line",
        ),
        pytest.param(
            "vrrp_instance V\n{\n virtual_ipaddress\n {\n 10.0.0.1\n }\n}",
            {"V": ["10.0.0.1"]},
            id="lone-braces",
        ),
        pytest.param(
            'vrrp_instance "V 1" { # }\n virtual_ipaddress { ! {\n 10.0.0.1 # one }\n #10.0.0.2\n }\n}',
            {"V 1": ["10.0.0.1"]},
            id="comments-and-quotes",
        ),
        pytest.param(
            'vrrp_instance V {\n notify "/x { y"\n virtual_ipaddress {\n 10.0.0.1\n }\n}',
            {"V": ["10.0.0.1"]},
            id="a-brace-in-quotes",
        ),
        pytest.param(
            "vrrp_instance V {\n virtual_ipaddress {\n 10.0.0.1\n 10.0", {"V": ["10.0.0.1", "10.0"]}, id="half"
        ),
        pytest.param(
            "static_ipaddress {\n 10.9.9.9\n}\nvirtual_server 10.0.0.1 80 {\n}\nvrrp_instance V {\n}", {}, id="no-vips"
        ),
        pytest.param(
            "vrrp_sync_group G {\n group {\n V\n }\n}\nvrrp_instance V {\n virtual_ipaddress {\n 10.0.0.1\n }\n}",
            {"V": ["10.0.0.1"]},
            id="a-sync-group-before",
        ),
        pytest.param(
            "vrrp_instance V {\r\n virtual_ipaddress {\r\n 10.1.1.1\r\n}\r\n}", {"V": ["10.1.1.1"]}, id="crlf"
        ),
        pytest.param(
            "vrrp_instance V {\n track_interface {\n eth0 weight 10\n }\n virtual_ipaddress {\n 10.0.0.1 label e\n }\n"
            " virtual_routes {\n 10.1.0.0/24 via 10.0.0.254\n }\n}",
            {"V": ["10.0.0.1"]},
            id="other-blocks",
        ),
        pytest.param("}}}} vrrp_instance V { virtual_ipaddress { 10.0.0.1 } }", {"V": ["10.0.0.1"]}, id="stray-braces"),
        pytest.param("", {}, id="nothing"),
    ],
)
def test_shapes(text: str, vips: dict[str, list[str]]) -> None:
    assert vips_of(text) == vips


WORDS = st.sampled_from(
    ["vrrp_instance", "V", "{", "}", "virtual_ipaddress", "10.0.0.1/24", "dev", "eth0", '"', "#", "!", "\n", " ", "\\"]
)


@given(st.one_of(st.text(), st.lists(WORDS).map("".join), st.lists(WORDS).map(" ".join)))
def test_nothing_is_too_odd_to_be_read(text: str) -> None:
    assert all(isinstance(vip, str) for vips in vips_of(text).values() for vip in vips)


@given(st.integers(0, len(OPENSHIFT)))
def test_a_half_written_file_says_nothing_wrong(length: int) -> None:
    whole = vips_of(OPENSHIFT)
    for name, vips in vips_of(OPENSHIFT[:length]).items():
        named = next(known for known in whole if known.startswith(name))
        assert vips[:-1] == whole[named][: len(vips) - 1]
        assert whole[named][len(vips) - 1].startswith(vips[-1])


def written(directory: Path, files: Mapping[str, str]) -> str:
    """The path of the keepalived.conf among these files."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if name.endswith("z.conf") else 0o644)
    return str(directory / "keepalived.conf")


def read(directory: Path, text: str, config_id: str = "") -> Configuration:
    return read_configuration(written(directory, {"keepalived.conf": text}), config_id)


SETUP = """
mount -t tmpfs tmpfs /run
ip link add eth0 type veth peer name eth1
ip link set eth0 up
ip link set eth1 up
ip address add 10.0.0.254/24 dev eth0
ip address add 10.1.0.2/24 dev eth1
"""


def dumped(directory: Path, *options: str) -> str:
    """What Keepalived says that it has understood of the keepalived.conf in a directory."""
    lack = missing()
    if lack and os.environ.get("CI"):
        pytest.fail(lack)
    elif lack:
        pytest.skip(lack)
    log: list[str] = []
    with namespace(SETUP) as inside:
        shutil.copytree(directory, inside.path("/run/conf"))
        argv = ["env", "TMPDIR=/run", "keepalived", "-n", "--log-console", "-f", "/run/conf/keepalived.conf", *options]
        keepalived = inside.start(*argv, heard=log.append)
        try:
            wait_until("Keepalived is ready", lambda: any("Startup complete" in line for line in log))
            parent = int(inside.path("/run/keepalived.pid").read_text())
            inside.must("kill", "-s", signal.SIGUSR1.name[3:], str(parent))
            dump = inside.path("/run/keepalived.data")
            wait_until("it is dumped", lambda: dump.exists() and "< Interfaces >" in dump.read_text())
            return dump.read_text()
        except TimeoutError as error:
            raise AssertionError("\n".join(log)) from error
        finally:
            keepalived.terminate()
            keepalived.end(within=5.0)


def blocks(dump: str, title: str) -> dict[str, str]:
    """The parts of a dump that are about things of a kind, by name."""
    return dict(re.findall(rf"^ VRRP {title} = (.*)\n((?:   .*\n)*)", dump, re.MULTILINE))


def addresses_in(block: str, title: str) -> list[tuple[str, int, str]]:
    """Address, prefix length and interface of what a dump lists."""
    found = re.search(rf"   {title}.*:\n((?:     .*\n)*)", block)
    listed = []
    for line in found[1].splitlines() if found else ():
        words = line.split()
        address = ipaddress.ip_interface(words[0])
        listed.append((str(address.ip), address.network.prefixlen, words[words.index("dev") + 1].partition("@")[0]))
    return listed


def fact(block: str, title: str) -> str:
    found = re.search(rf"   {title} = (.*)", block)
    return found[1] if found else ""


@pytest.mark.parametrize("config_id", ["main", "elsewhere"])
def test_keepalived_reads_the_same(tmp_path: Path, config_id: str) -> None:
    ours = read_configuration(written(tmp_path, RICH), config_id)
    dump = dumped(tmp_path, "-i", config_id)
    instances = blocks(dump, "Instance")
    assert [one.name for one in ours.instances] == list(instances)
    assert len(instances) == 6
    for one in ours.instances:
        theirs = instances[one.name]
        assert one.vrid == int(fact(theirs, "Virtual Router ID"))
        assert one.priority == int(fact(theirs, "Priority"))
        assert one.interface == fact(theirs, "Interface").rpartition("vmac on ")[2]
        assert one.unicast == ("Using unicast" in theirs)
        for excluded, title in ((False, r"Virtual IP \("), (True, "Virtual IP Excluded")):
            listed = [(vip.address, vip.prefixlen, vip.interface) for vip in one.addresses if vip.excluded == excluded]
            assert listed == addresses_in(theirs, title)
    for group, text in blocks(dump, "Sync Group").items():
        assert list(ours.groups[group.partition(",")[0]]) == re.findall(r"     (VI_\d)", text)
    scripts = blocks(dump, "Script")
    assert [script.name for script in ours.scripts] == list(scripts)
    for script in ours.scripts:
        theirs = scripts[script.name]
        assert split_command(script.command)[1:] == split_command(fact(theirs, "Command"))[1:]
        assert [script.interval, script.rise or 1, script.fall or 1] == [
            int(fact(theirs, title).partition(" ")[0]) for title in ("Interval", "Rise", "Fall")
        ]
        tracking = {one.name for one in ours.instances if script.name in one.scripts}
        assert tracking == set(re.findall(r"     (V\w+), weight", theirs))


def test_keepalived_reads_what_openshift_generates_as_we_do(tmp_path: Path) -> None:
    facts = {"check": "sh -c 'exit 0'", "global_defs": "", "state": "state MASTER", "priority": 253}
    ours = read(tmp_path, CONFIGURATION.format(**facts, notify="", vip="10.0.0.100"))
    [(name, theirs)] = blocks(dumped(tmp_path), "Instance").items()
    [one] = ours.instances
    assert (one.name, one.vrid, one.priority) == (name, 11, int(fact(theirs, "Priority")))
    assert [(vip.address, vip.prefixlen, vip.interface) for vip in one.addresses] == addresses_in(theirs, "Virtual IP ")
    assert one.scripts == ("chk_ipfailover",)
    assert ours.scripts == (VrrpScript("chk_ipfailover", "sh -c 'exit 0'", 2.0, None, None, None),)


def test_an_instance_has_a_family(tmp_path: Path) -> None:
    families = {one.name: one.family for one in read_configuration(written(tmp_path, RICH)).instances}
    assert (families["VI_1"], families["VI_4"]) == ("ipv4", "ipv6")
    [neither] = read(tmp_path, "vrrp_instance V {\nvirtual_ipaddress_excluded {\n10.0.0.1\n}\n}").instances
    assert neither.family == "ipv4"


def test_the_host_name_is_the_default_of_the_condition(tmp_path: Path) -> None:
    name = os.uname().nodename.partition(".")[0]
    text = f"vrrp_instance V {{\n@{name} priority 9\n@^{name} priority 8\n}}"
    assert read(tmp_path, text).instances[0].priority == 9


def test_what_is_no_number_is_not_known(tmp_path: Path) -> None:
    text = "vrrp_instance V {\npriority 3oo\nvirtual_router_id 256\n}\nvrrp_script s {\ninterval often\nrise -1\n}"
    found = read(tmp_path, text)
    assert (found.instances[0].priority, found.instances[0].vrid) == (None, None)
    assert found.scripts == (VrrpScript("s", "", None, None, None, None),)
    assert read(tmp_path, "vrrp_script s {\ninterval 0.25\ntimeout .1\n}").scripts[0][2:4] == (0.25, 0.1)


def test_an_address_that_comes_twice_is_one(tmp_path: Path) -> None:
    text = "vrrp_instance V {\nvirtual_ipaddress {\n0:0::1\n::1/64\nfoo\n10.0.0.1/33\n}\n}"
    assert read(tmp_path, text).instances[0].addresses == (
        VirtualAddress("::1", 128, "", False),
        VirtualAddress("10.0.0.1", 32, "", False),
    )


def test_an_include_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    found = read(tmp_path, "include vips.conf\ninclude gone.d/*.conf\ninclude *.none\nvrrp_instance V {\n}")
    assert [one.name for one in found.instances] == ["V"]
    assert found.findings == (
        f"{tmp_path}/keepalived.conf line 1: there is no {tmp_path}/vips.conf to include; put it there",
        f"{tmp_path}/keepalived.conf line 2: there is no {tmp_path}/gone.d to include; put it there",
    )
    assert found.files == (f"{tmp_path}/keepalived.conf", str(tmp_path), f"{tmp_path}/gone.d")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", " line 1: it says nothing; is it half-written?", id="empty"),
        pytest.param("! comment\n\n", " line 1: it says nothing; is it half-written?", id="comments"),
        pytest.param(
            "\nvrrp_instance V {\n priority 1\n",
            " line 2: vrrp_instance V is not closed; is it half-written?",
            id="open",
        ),
        pytest.param("\nvrrp_instance V", " line 2: vrrp_instance V has no block; is it half-written?", id="bare"),
        pytest.param("a {\n}\n}\n", " line 3: there is a } too many; is the { before it lost?", id="closed-twice"),
        pytest.param(
            "vrrp_instance V {\ninclude keepalived.conf\n}",
            " line 2: include keepalived.conf leads back to {path}; leave it out",
            id="a-cycle",
        ),
        pytest.param(
            "$A= \\\n$A \\\n$A\n\n$A\n",
            " line 5: from here it is more than 200000 lines; does a definition contain itself?",
            id="a-definition-of-itself",
        ),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path, text: str, why: str) -> None:
    path = str(tmp_path / "keepalived.conf")
    with pytest.raises(Unreadable) as caught:
        read(tmp_path, text)
    assert str(caught.value) == path + why.replace("{path}", path)
    assert caught.value.files[0] == path


def test_half_an_included_file_is_told_with_its_own_name_and_line(tmp_path: Path) -> None:
    path = written(tmp_path, {"keepalived.conf": "include a\n}", "a": "x {\n}\nvrrp_instance V {\n"})
    with pytest.raises(Unreadable, match="/a line 3: vrrp_instance V is not closed") as caught:
        read_configuration(path)
    assert caught.value.files == (path, str(tmp_path), str(tmp_path / "a"))


def test_a_file_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    with pytest.raises(Unreadable) as caught:
        read_configuration(str(path))
    assert str(caught.value) == f"{path} cannot be read: No such file or directory; name the file that Keepalived reads"
    with pytest.raises(Unreadable, match="is no regular file"):
        read_configuration(str(tmp_path))


READ_BY_NOBODY = """
import glob, os, sys
from hachecks.keepalived import Unreadable, read_configuration
os.chdir(sys.argv[1])
os.setuid(65534)
try:
    read_configuration("keepalived.conf")
except Unreadable as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("name", ["keepalived.conf", "a.d", "a.d/one"])
def test_what_this_user_may_not_read_is_told_of(tmp_path: Path, name: str) -> None:
    written(tmp_path, {"keepalived.conf": "include a.d/*\nvrrp_instance V {\n}\n", "a.d/one": ""})
    tmp_path.chmod(0o755)  # reached by its path from nowhere, since pytest's own directories are closed
    (tmp_path / name).chmod(0)
    argv = [sys.executable, "-c", READ_BY_NOBODY, str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == f"{name} cannot be read: Permission denied; let this user read it\n"


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
def test_half_a_configuration_is_refused_or_gives_a_part(tmp_path: Path, data: st.DataObject) -> None:
    path = written(tmp_path, RICH)
    whole = read_configuration(path, "main")
    cut = data.draw(st.sampled_from([name for name in RICH if name.startswith(("k", "conf.d/a", "conf.d/m"))]))
    text = RICH[cut].encode()
    (tmp_path / cut).write_bytes(text[: data.draw(st.integers(0, len(text)))])
    with contextlib.suppress(Unreadable):
        part = read_configuration(path, "main")
        complete = {one.name: one for one in whole.instances}
        assert {one.name for one in part.instances} <= complete.keys()
        assert all(one.addresses == complete[one.name].addresses for one in part.instances)
        assert set(part.scripts) <= set(whole.scripts)


@given(st.one_of(st.binary(), st.lists(WORDS).map(lambda words: "".join(words).encode())))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_file_is_read_or_unreadable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_bytes(content)
    with contextlib.suppress(Unreadable):
        assert read_configuration(str(path)).files[0] == str(path)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        pytest.param("sh /etc/keepalive/hacheck run vip", ("run", "vip"), id="through-sh"),
        pytest.param("hacheck tcp '10.0.0.1 :80' a\\ b", ("tcp", "10.0.0.1 :80", "a b"), id="bare"),
        pytest.param('"/opt/ha check/hacheck"', (), id="nothing-after-it"),
        pytest.param("/usr/bin/env A=b sh -c 'hacheck tcp x'", (), id="in-a-shell"),
        pytest.param("/usr/bin/hachecker run", (), id="another"),
        pytest.param("", (), id="none"),
    ],
)
def test_a_command_that_is_ours(command: str, words: tuple[str, ...]) -> None:
    assert hacheck_command(command) == words
