"""What Keepalived reads in a configuration is what we read, and half a configuration is refused or gives a part."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hachecks.keepalived.configuration import (
    Configuration,
    Unreadable,
    VirtualAddress,
    VrrpScript,
    hacheck_command,
    read_configuration,
    vips_of,
)
from hachecks.keepalived.parser import split_command
from tests.failover.cluster import CONFIGURATION
from tests.keepalived_dump import addresses_in, blocks, dump_of, fact

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
            {"V": ["10.0.0.1"]},
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
        pytest.param("vrrp_instance V {\n virtual_ipaddress {\n 10.0.0.1\n 10.0", {"V": ["10.0.0.1"]}, id="half"),
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


@given(st.integers(0, len(OPENSHIFT)))
def test_a_half_written_file_says_nothing_wrong(length: int) -> None:
    whole = vips_of(OPENSHIFT)
    for name, vips in vips_of(OPENSHIFT[:length]).items():
        named = next(known for known in whole if known.startswith(name))
        assert vips[:-1] == whole[named][: len(vips) - 1]


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


@pytest.mark.parametrize("config_id", ["main", "elsewhere"])
def test_keepalived_reads_the_same(tmp_path: Path, config_id: str) -> None:
    ours = read_configuration(written(tmp_path, RICH), config_id)
    dump = dump_of(tmp_path, "-i", config_id)
    assert dump is not None
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
    [(name, theirs)] = blocks(dump_of(tmp_path) or "", "Instance").items()
    [one] = ours.instances
    assert (one.name, one.vrid, one.priority) == (name, 11, int(fact(theirs, "Priority")))
    assert [(vip.address, vip.prefixlen, vip.interface) for vip in one.addresses] == addresses_in(theirs, "Virtual IP ")
    assert one.scripts == ("chk_ipfailover",)
    assert ours.scripts == (VrrpScript("chk_ipfailover", "sh -c 'exit 0'", 2.0, None, None, None),)


TIMES = """
global_defs {{
    vrrp_startup_delay 5.5
    vrrp_down_timer_adverts 7
    {more}
}}
vrrp_instance V {{
    interface eth0
    virtual_router_id 5
    {own}
    virtual_ipaddress {{
        10.0.0.1
    }}
}}
"""


@pytest.mark.parametrize(
    ("more", "own"),
    [
        ("", ""),
        ("vrrp_startup_delay 0\n vrrp_down_timer_adverts 0", "down_timer_adverts 101"),
        ("vrrp_startup_delay +4294\n vrrp_down_timer_adverts +9", "down_timer_adverts 4"),
        ("vrrp_startup_delay 4295\n vrrp_down_timer_adverts 1.5", "down_timer_adverts 4\n down_timer_adverts 5x"),
        ("vrrp_startup_delay 7x\n vrrp_down_timer_adverts 8x", "down_timer_adverts 3.5"),
        ("}\nglobal_defs {\n vrrp_startup_delay 0.25\n vrrp_down_timer_adverts 2", "down_timer_adverts 1"),
    ],
)
def test_how_long_it_waits_is_as_keepalived_says(tmp_path: Path, more: str, own: str) -> None:
    ours = read(tmp_path, TIMES.format(more=more, own=own))
    dump = dump_of(tmp_path) or ""
    (delay,) = re.findall("vrrp_startup_delay = (.*)", dump)
    assert ours.startup_delay == float(delay)
    assert ours.instances[0].down_timer == int(fact(blocks(dump, "Instance")["V"], "Down timer adverts"))


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
    text = "vrrp_instance V {\npriority 3oo\nvirtual_router_id 256\n}\n"
    text += "vrrp_script s {\nscript x\ninterval often\nrise -1\n}"
    found = read(tmp_path, text)
    assert (found.instances[0].priority, found.instances[0].vrid) == (100, None)
    assert found.scripts == (VrrpScript("s", "x", None, None, None, None),)
    assert read(tmp_path, "vrrp_script s {\nscript x\ninterval 0.25\ntimeout .1\n}").scripts[0][2:4] == (0.25, 0.1)


def test_an_address_that_comes_twice_is_one(tmp_path: Path) -> None:
    text = "vrrp_instance V {\nvirtual_ipaddress {\n0:0::1\n::1/64\nfoo\n}\n}"
    assert read(tmp_path, text).instances[0].addresses == (VirtualAddress("::1", 128, "", False),)


def test_an_include_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    found = read(tmp_path, "include vips.conf\ninclude gone.d/*.conf\ninclude *.none\nvrrp_instance V {\n}")
    assert [one.name for one in found.instances] == ["V"]
    assert found.findings[2:] == (
        f"{tmp_path}/keepalived.conf line 1: there is no {tmp_path}/vips.conf to include; put it there",
        f"{tmp_path}/keepalived.conf line 2: there is no {tmp_path}/gone.d to include; put it there",
    )
    assert found.files == (
        f"{tmp_path}/keepalived.conf",
        str(tmp_path),
        f"{tmp_path}/vips.conf",
        f"{tmp_path}/gone.d",
    )


@pytest.mark.parametrize("text", ["", "! comment\n\n"])
def test_a_file_that_says_nothing_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(tmp_path, text)
    assert str(caught.value) == f"{tmp_path}/keepalived.conf line 1: it says nothing; is it half-written?"
    assert caught.value.files == (f"{tmp_path}/keepalived.conf",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("a {\n b\n}\n}\n", "line 4: there is a } too many", id="closed-twice"),
        pytest.param("vrrp_instance V {\n priority 1\n", "line 2: a } is missing before the end", id="half"),
        pytest.param("\nvrrp_instance V", "line 2: V: it has no virtual_router_id", id="bare"),
        pytest.param("$A=$A\n$A\n", "line 2: $A contains itself", id="a-definition-of-itself"),
        pytest.param("$A=x\n~SEQ(N, 0x%s) $A\n" % ("f" * 5000), "line 2: ~SEQ(N, 0xfff", id="a-large-number"),
        pytest.param("$A= \\\n$A \\\n$A\n\n$A\n", "come to more than 2097152 characters", id="lines-without-end"),
        pytest.param(
            "~SEQ(I, 1, 99999) ~SEQ(J, 1, 99999) x\n", "it is more than 150000 lines", id="a-sequence-of-sequences"
        ),
        pytest.param(
            f"$A={'x' * 900}\n~SEQ(I, 1, 99999) $A\n", "come to more than 2097152 characters", id="a-long-one"
        ),
        pytest.param("include x" + "{a,b}" * 20, "come to more than 256 names", id="includes-without-end"),
        pytest.param("include /*/*/*/*/*/*x\n", "look at more than 20000 files", id="wildcards"),
        pytest.param("include /dev/zero\n", "includes no device or socket like /dev/zero", id="a-device"),
        pytest.param("include .\n", "includes no directory like", id="a-directory"),
        pytest.param("include fifo\n", "includes no FIFO like", id="a-fifo"),
        pytest.param("include huge\n", "the configuration is more than 4194304 bytes", id="a-huge-file"),
    ],
)
def test_what_cannot_be_judged_is_told_beside_the_rest(tmp_path: Path, text: str, why: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    with (tmp_path / "huge").open("w") as huge:
        huge.truncate(2**40)
    rest = "vrrp_instance REST { interface eth0\nvirtual_router_id 1\n}\n"
    found = read(tmp_path, rest + text)
    assert [one.name for one in found.instances][:1] == ["REST"]
    shifted = re.sub(r"line (\d)", lambda match: f"line {int(match[1]) + 3}", why)
    assert [finding for finding in found.findings if shifted in finding], found.findings


def test_what_is_beyond_a_limit_is_told_before_all_else(tmp_path: Path) -> None:
    found = read(tmp_path, "vrrp_instance V {\nvirtual_ipaddress {\n~SEQ(N, 1, 99999) x.$N\n}\n}\n")
    assert "from here it is more than 150000 lines" in found.findings[0]
    assert found.findings[-1].endswith(" more of these findings are not shown")
    assert len(found.findings) == 54


def test_a_file_that_has_nothing_to_be_read_now_is_survived() -> None:
    for _ in range(3):  # the first one may hear what the kernel has said, and not everybody may
        with contextlib.suppress(Unreadable):
            assert read_configuration("/proc/kmsg").files[0] == "/proc/kmsg"


def test_a_file_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    with pytest.raises(Unreadable) as caught:
        read_configuration(str(path))
    assert str(caught.value) == f"{path} cannot be read: No such file or directory; name the file that Keepalived reads"
    with pytest.raises(Unreadable, match="is no regular file"):
        read_configuration(str(tmp_path))


READ_BY_NOBODY = """
import glob, os, sys
from hachecks.keepalived.configuration import read_configuration
from hachecks.keepalived.files import Unreadable
os.chdir(sys.argv[1])
os.setuid(65534)
try:
    print(read_configuration("keepalived.conf").findings[2].partition("line 1: ")[2])
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
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
def test_half_a_configuration_gives_a_part_or_is_told(tmp_path: Path, data: st.DataObject) -> None:
    path = written(tmp_path, RICH)
    whole = read_configuration(path, "main")
    cut = data.draw(st.sampled_from([name for name in RICH if name.startswith(("k", "conf.d/a", "conf.d/m"))]))
    text = RICH[cut].encode()
    (tmp_path / cut).write_bytes(text[: data.draw(st.integers(0, len(text)))])
    with contextlib.suppress(Unreadable):
        part = read_configuration(path, "main")
        complete = {one.name: one for one in whole.instances}
        if not set(part.findings) - set(whole.findings):
            assert {one.name for one in part.instances} <= complete.keys()
            assert all(one.addresses == complete[one.name].addresses for one in part.instances)
            assert set(part.scripts) <= set(whole.scripts)


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
