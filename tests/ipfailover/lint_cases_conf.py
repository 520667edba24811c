"""Cases of weaknesses in a keepalived.conf that somebody wrote: each wrong, then right."""

from __future__ import annotations

from tests.ipfailover.linting import Given, conf_with, deployment_with, shows, together

GOOD = conf_with()
SCRIPT = "/usr/bin/sh /etc/keepalive/hacheck run vip"
PEERS = "    unicast_peer {\n        10.9.0.2\n    }\n"
SOURCE = "    unicast_src_ip 10.9.0.1\n"
SECURE = "    enable_script_security\n    script_user root\n"
TRACK = "    track_script {\n        service\n    }\n"
MULTICAST = ((SOURCE, ""), (PEERS, ""))
V3 = ("    priority 254\n", "    priority 254\n    version 3\n    advert_int 0.5\n")
TWO = ("        10.0.0.1/32\n", "        10.0.0.1/32\n        10.0.0.2/32\n")
PASSWORD = "    authentication {\n        auth_type PASS\n        auth_pass secretsecret\n    }\n"


def with_line(line: str, *changes: tuple[str, str]) -> Given:
    """The good one with a line more in its instance."""
    return conf_with(("    priority 254\n", f"    priority 254\n    {line}\n"), *changes)


shows("HA201", conf_with(("virtual_router_id 51", "virtual_router_id 0")), GOOD)
shows("HA201", conf_with(("    interface vrrp0\n", "")), GOOD)
shows("HA202", conf_with(("        10.0.0.1/32\n", "        10.0.0.1/32\n        fd00::1/128\n")), GOOD)
shows("HA204", conf_with((SECURE, f"{SECURE}    vrrp_strict\n")), GOOD)
shows("HA204", with_line("strict_mode on"), with_line("strict_mode off"))
shows("HA206", with_line(PASSWORD), with_line(PASSWORD.replace("secretsecret", "secret")))
shows("HA207", with_line(PASSWORD, ("preempt_delay 60", "version 3")), conf_with(("preempt_delay 60", "version 3")))
shows("HA208", conf_with(("10.0.0.1/32", "10.0.0.1")), GOOD)
shows(
    "HA209",
    conf_with(TWO),
    conf_with((TWO[0], f"{TWO[0]}    }}\n    virtual_ipaddress_excluded {{\n        10.0.0.2/32\n")),
)
shows("HA210", with_line("track_src_ip"), GOOD)

shows("HA220", conf_with(("state BACKUP", "state MASTER")), GOOD)
shows("HA220", conf_with(("state BACKUP", "state MASTER"), ("preempt_delay 60", "nopreempt")), GOOD)
shows("HA221", conf_with(("priority 254", "priority 255")), GOOD)
shows(
    "HA222",
    conf_with(("preempt_delay 60", "nopreempt"), ("    interval 2\n", "    interval 2\n    weight -20\n")),
    conf_with(("preempt_delay 60", "nopreempt")),
)
shows("HA222", conf_with(("preempt_delay 60", "nopreempt"), ("        service\n", "        service weight 5\n")), GOOD)
shows("HA223", with_line("advert_int 0.5"), with_line("advert_int 1"))
shows("HA223", conf_with((V3[0], V3[1].replace("0.5", "41"))), conf_with(V3))
shows("HA224", conf_with((V3[0], V3[1].replace("0.5", "0.1"))), conf_with(V3))
shows("HA225", conf_with(("preempt_delay 60", "preempt 300")), GOOD)
shows("HA225", conf_with(("preempt_delay 60", "preempt_nodelay 300")), GOOD)

shows("HA230", conf_with((SOURCE, "")), GOOD)
shows("HA231", conf_with(("        10.9.0.2\n", "        10.9.0.1\n        10.9.0.2\n")), GOOD)
shows("HA232", conf_with(("        10.9.0.2\n", "")), conf_with(*MULTICAST))
shows("HA232", conf_with((PEERS, "")), GOOD)

shows("HA240", conf_with((TRACK, "")), GOOD)
shows(
    "HA240",
    conf_with((TRACK, "")),
    conf_with(
        (TRACK, ""),
        ("vrrp_instance web {", f"vrrp_sync_group g {{\ngroup {{\nweb\n}}\n{TRACK}}}\nvrrp_instance web {{"),
    ),
)
shows("HA241", conf_with((SCRIPT, "/etc/keepalive/hacheck run vip")), GOOD)
shows("HA241", conf_with(("/usr/bin/sh /etc/keepalive/hacheck notify", "/etc/keepalive/hacheck notify")), GOOD)
shows(
    "HA242", conf_with((SCRIPT, "</dev/tcp/10.9.0.1/80")), conf_with((SCRIPT, "/usr/bin/sh -c '</dev/tcp/10.9.0.1/80'"))
)
shows("HA242", conf_with((SCRIPT, "/usr/bin/pgrep x | grep 1")), conf_with((SCRIPT, "/usr/bin/pgrep x")))
shows(
    "HA243",
    conf_with(("    fall 2\n", "    fall 2\n    timeout 5\n")),
    conf_with(("    fall 2\n", "    fall 2\n    timeout 2\n")),
)
shows("HA244", conf_with(("interval 2", "interval 1.5")), GOOD)
shows("HA245", conf_with(("    fall 2\n", "")), GOOD)
shows("HA246", conf_with((SECURE, "")), GOOD)
shows("HA247", conf_with((SCRIPT, "/etc/keepalive/hacheck run vip")), GOOD)
shows("HA248", conf_with(("track_script {\n        service", "track_file {\n        service")), GOOD)
shows(
    "HA249",
    together(with_line("track_process {\n        nginx\n    }"), deployment_with()),
    together(
        with_line("track_process {\n        nginx\n    }"),
        deployment_with(("      hostNetwork: true\n", "      hostNetwork: true\n      hostPID: true\n")),
    ),
)
shows("HA250", conf_with(("    fall 2\n", "    fall 2\n    init_fail\n")), GOOD)
shows("HA251", conf_with((TRACK, "")), GOOD)
shows("HA252", conf_with(("    fall 2\n", "    fall 2\n    weight 300\n")), GOOD)


def nodes(*changes: tuple[str, str]) -> Given:
    """The good file, and that of the other node with changes."""
    other = (("10.9.0.1", "10.9.0.x"), ("10.9.0.2", "10.9.0.1"), ("10.9.0.x", "10.9.0.2"), ("254", "253"))
    return together(GOOD, conf_with(*other, *changes))


shows("HA320", nodes(TWO), nodes())
shows("HA321", nodes(("    state BACKUP\n", "    state BACKUP\n    version 3\n")), nodes())
shows("HA321", nodes(("    state BACKUP\n", "    state BACKUP\n    advert_int 2\n")), nodes())
shows("HA321", nodes(("    state BACKUP\n", f"    state BACKUP\n{PASSWORD}")), nodes())
shows("HA322", nodes(("253", "254")), nodes())
shows("HA323", nodes(("        10.9.0.1\n", "        10.9.0.1\n        10.9.0.3\n")), nodes())
shows(
    "HA324",
    together(conf_with(("        service\n", "        service weight -1\n")), Given(confs=nodes().confs[1:])),
    together(conf_with(("        service\n", "        service weight -2\n")), Given(confs=nodes().confs[1:])),
)
shows("HA309", nodes(("virtual_router_id 51", "virtual_router_id 52")), nodes())
shows(
    "HA309",
    nodes(("    unicast_src_ip 10.9.0.2\n", ""), ("    unicast_peer {\n        10.9.0.1\n    }\n", "")),
    nodes(),
)


def with_files(*blocks: str, tracked: str = "") -> Given:
    """The good one with track_file blocks, and what its instance tracks of them."""
    above = ("vrrp_script service {", "\n".join([*blocks, "vrrp_script service {"]))
    return conf_with(above, (TRACK, f"{TRACK}    track_file {{\n        {tracked}\n    }}\n" if tracked else TRACK))


def file(name: str, *lines: str) -> str:
    """A track_file block."""
    return "\n".join([f"track_file {name} {{", f"    file /var/lib/{name}", *(f"    {line}" for line in lines), "}"])


VIP, DRAIN = file("vip", "weight 0", "init_file 1 overwrite"), file("drain_web", "weight -81", "init_file 0")
shows(
    "HA253", with_files(VIP, DRAIN, tracked="vip"), with_files(VIP, DRAIN, tracked="vip\n        drain_web weight -2")
)
shows("HA254", with_files(file("vip", "weight 0"), tracked="vip"), with_files(VIP, tracked="vip"))
shows("HA255", with_files(file("vip", "init_file 1 overwrite"), tracked="vip"), with_files(VIP, tracked="vip"))
shows("HA256", with_files(VIP), with_files(VIP, tracked="vip"))
shows("HA257", with_files(DRAIN, tracked="drain_web weight 0"), with_files(DRAIN, tracked="drain_web"))
shows(
    "HA258",
    with_files(file("drain_web", "weight -81", "init_file 0 overwrite"), tracked="drain_web"),
    with_files(DRAIN, tracked="drain_web"),
)
