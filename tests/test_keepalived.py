"""The VIPs of each instance are read from whatever a keepalived.conf looks like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.keepalived import vips_of

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
