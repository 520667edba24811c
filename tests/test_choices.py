"""Every choice of every option that takes one of some words is run against a real counterpart, or a strict one.

The choices come from the registry: a new one fails until a run of it is written down, here or in the tests of the probe
or notifier that has it.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest
import trustme

from hachecks.net.own_address import own_address
from hachecks.net.transport import NetworkOptions
from hachecks.registry import COMMANDS, NOTIFIERS, PROBES
from hachecks.settings import settings_of
from tests import nginx, postgresql
from tests.cli import hacheck
from tests.contracts import RUNS, Stage, module_of_tests, run_of
from tests.exporter.running import exporter, say
from tests.logdaemons import listening, rsyslog
from tests.net.conftest import directory  # noqa: F401 - a fixture
from tests.net.test_starttls import Authority, authority, secure  # noqa: F401 - fixtures
from tests.ports import free_port
from tests.receivers import Always, Discord, Ntfy, PagerDuty, SlackApi, Teams
from tests.servers import Http, Route
from tests.test_help import classes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hachecks.settings import Setting

ELSEWHERE = {name: entry.load() for name, entry in COMMANDS.items()}
"""Commands that are no checks, whose options are declared like all others."""


def every_choice() -> list[object]:
    """Each choice once, by the class that declares it, with a command that has it."""
    found: dict[tuple[str, str], tuple[str, Setting]] = {}
    classes = {name: classes_of(name) for name in (*PROBES, *NOTIFIERS)}
    for name in classes:
        module_of_tests(name)  # where runs may be declared
    classes.update({name: (cls,) for name, cls in ELSEWHERE.items()})
    for name, of_command in classes.items():
        for setting in (setting for cls in of_command for setting in settings_of(cls)):
            found.setdefault((setting.owner.__name__, setting.flag), (name, setting))
    return [
        pytest.param(f"{owner} {flag}", choice, id=f"{owner} {flag} {choice}")
        for (owner, flag), (_, setting) in found.items()
        for choice in setting.choices
    ]


@pytest.fixture
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Stage:
    return Stage(tmp_path, request.getfixturevalue)


@pytest.mark.parametrize(("option", "choice"), every_choice())
def test_every_choice_is_run(option: str, choice: str, stage: Stage) -> None:
    assert option in RUNS, f"nothing runs the choices of {option}"
    RUNS[option](choice, stage)


def passed(*words: object) -> str:
    """The line of a check that must pass."""
    answer = hacheck(*words, "--timeout", "10s")
    assert (answer.code, answer.err) == (0, ""), answer
    return answer.line


def told(*words: object, state: str = "/proc/nonexistent") -> None:
    """Send a marked message by `hacheck notify --test`, which must be delivered."""
    answer = hacheck("notify", "--test", *words, HACHECK_STATE_DIR=state)
    assert (answer.code, answer.err) == (0, ""), answer


# How every check is run, and told


@run_of("RunOptions --on-unknown")
def _(choice: str, _stage: Stage) -> None:
    answer = hacheck("file", "/etc", "--on-unknown", choice)
    assert (answer.code, answer.line[:7]) == ({"fail": 1, "pass": 0}[choice], "UNKNOWN")


@run_of("OutputOptions --format")
def _(choice: str, _stage: Stage) -> None:
    line = passed("file", "/etc/passwd", "--format", choice)
    assert line.startswith(
        {"text": "PASS - /etc/passwd exists", "json": '{"status": "PASS"', "nagios": "OK - /"}[choice]
    )


def test_in_nagios_words_too_the_user_decides_what_unknown_means() -> None:
    for word, code in (("fail", 3), ("pass", 0)):
        answer = hacheck("file", "/etc", "--format", "nagios", "--on-unknown", word)
        assert (answer.code, answer.line.partition(" | ")[0]) == (code, "UNKNOWN - /etc is a directory, not a file")
    assert hacheck("file", "/nonexistent", "--format", "nagios", "--on-unknown", "pass").code == 2


# The way there, and TLS


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[nginx.Nginx]:
    with nginx.running(tmp_path_factory.mktemp("nginx")) as server:
        yield server


@run_of("NetworkOptions --proxy-protocol")
def _(choice: str, stage: Stage) -> None:
    web = stage.want("web")
    assert isinstance(web, nginx.Nginx)
    passed("http", web.url("proxied"), "--proxy-protocol", choice, "--json", '.from == "127.0.0.1"')
    assert hacheck("http", web.url("proxied")).code == 1


VERSIONS = {"1.0": ("-tls1", "TLSv1"), "1.1": ("-tls1_1", "TLSv1.1"), "1.2": ("-tls1_2", "TLSv1.2"),
            "1.3": ("-tls1_3", "TLSv1.3")}  # fmt: skip


@contextmanager
def openssl(stage: Stage, *words: str) -> Iterator[tuple[str, str]]:
    """OpenSSL's own server, which shows the session: its URL, and the file to trust."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(stage.path / "ca.pem"))
    ca.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(stage.path / "server.pem"))
    port = free_port()
    serve = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(stage.path / "server.pem"), "-www"]
    with subprocess.Popen(
        ["setpriv", "--pdeathsig=TERM", *serve, "-cipher", "ALL:@SECLEVEL=0", *words], stdout=subprocess.DEVNULL
    ) as process:
        try:
            until = time.monotonic() + 60
            while not listening(port):
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)
            yield f"https://localhost:{port}/", str(stage.path / "ca.pem")
        finally:
            process.terminate()


def speaks(version: str) -> str:
    return rf"Protocol *: {re.escape(VERSIONS[version][1])}\s"


@run_of("TlsOptions --tls-min")
def _(choice: str, stage: Stage) -> None:
    with openssl(stage, VERSIONS[choice][0]) as (url, ca):
        passed("http", url, "-4", "--ca-file", ca, "--tls-min", choice, "--body-matches", speaks(choice))
        newer = [version for version in VERSIONS if version > choice]
        if newer:
            assert hacheck("http", url, "-4", "--ca-file", ca, "--tls-min", newer[0]).line.startswith("FAIL - ")


@run_of("TlsOptions --tls-max")
def _(choice: str, stage: Stage) -> None:
    with openssl(stage) as (url, ca):
        passed("http", url, "-4", "--ca-file", ca, "--tls-max", choice, "--body-matches", speaks(choice))


# Probes


NAMES = [
    *(
        "--auth-server=ns.zone.test,127.0.0.1",
        "--auth-zone=zone.test,10.0.0.0/24,fd00::/64",
        "--mx-host=zone.test,mail.zone.test,5",
    ),
    *("--host-record=host.zone.test,10.0.0.6,fd00::6", "--cname=alias.zone.test,host.zone.test"),
    *("--txt-record=text.zone.test,hello", "--srv-host=_db._tcp.zone.test,host.zone.test,5432,1,2"),
]
RECORDS = {
    "A": ("host.zone.test", "10.0.0.6"),
    "AAAA": ("host.zone.test", "fd00::6"),
    "CNAME": ("alias.zone.test", "host.zone.test"),
    "MX": ("zone.test", "5 mail.zone.test"),
    "NS": ("zone.test", "ns.zone.test"),
    "PTR": ("6.0.0.10.in-addr.arpa", "host.zone.test"),
    "SOA": ("zone.test", "ns.zone.test"),
    "SRV": ("_db._tcp.zone.test", "1 2 5432 host.zone.test"),
    "TXT": ("text.zone.test", "hello"),
}


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    """dnsmasq as the authority of a zone."""
    program = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert program, "install dnsmasq-base"
    port = free_port()
    words = [program, "-k", "-p", str(port), "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv"]
    process = subprocess.Popen([*words, "--no-hosts", "--conf-file=/dev/null", "--pid-file=", *NAMES])
    try:
        until = time.monotonic() + 60
        while hacheck("dns", "host.zone.test", "--server", f"127.0.0.1:{port}").code:
            assert process.poll() is None
            assert time.monotonic() < until
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@run_of("DnsProbe --type")
def _(choice: str, stage: Stage) -> None:
    name, record = RECORDS[choice]
    line = passed("dns", name, "--server", stage.want("names"), "--type", choice)
    assert f"answered {name} {choice} with {record}" in line


CODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}


@contextmanager
def answering_with(code: int) -> Iterator[str]:
    """A name server that takes nothing but a question as it should be, and answers it with this code alone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)

        def serve() -> None:
            asked, peer = server.recvfrom(4096)
            number, flags, counts = asked[:2], int.from_bytes(asked[2:4], "big"), asked[4:12]
            if flags & 0xFE8F == 0 and counts[:6] == bytes((0, 1, 0, 0, 0, 0)) and b"\4host\4zone\4test\0" in asked:
                server.sendto(number + (0x8000 | flags | code).to_bytes(2, "big") + counts[:6] + bytes(2)
                              + asked[12:12 + 16 + 4], peer)  # fmt: skip

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            thread.join(20)


@run_of("DnsProbe --rcode")
def _(choice: str, stage: Stage) -> None:
    names = {"NOERROR": "host.zone.test", "NXDOMAIN": "nobody.zone.test", "REFUSED": "elsewhere.test"}
    if choice in names:
        passed("dns", names[choice], "--server", stage.want("names"), "--rcode", choice)
        return
    with answering_with(CODES[choice]) as server:
        passed("dns", "host.zone.test", "--server", server, "--rcode", choice)


@run_of("HttpProbe --redirects")
def _(choice: str, _stage: Stage) -> None:
    with Http({"/": Route(b"there")}) as other:
        routes = {"/near": Route(b"", 302, {"Location": "/"}), "/far": Route(b"", 302, {"Location": other.url + "/"}),
                  "/": Route(b"here")}  # fmt: skip
        with Http(routes) as site:
            codes = {
                path: hacheck(
                    "http", site.url + path, "--redirects", choice, "--status", "200", "--timeout", "10s"
                ).code
                for path in ("/near", "/far")
            }
    assert (
        codes
        == {
            "no": {"/near": 1, "/far": 1},
            "same-host": {"/near": 0, "/far": 0},
            "any-host": {"/near": 0, "/far": 0},
        }[choice]
    )


@run_of("NodeportProbe --request")
def _(choice: str, stage: Stage) -> None:
    here = own_address(NetworkOptions())
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(stage.path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(here).configure_cert(context)
    words = {"https": ("--ca-file", stage.path / "ca.pem"), "none": ("--kube-proxy", "--kube-proxy-port")}
    routes = {"/": Route(b"hello"), "/healthz": Route(b"{}")}
    with Http(routes, host=here) as plain, Http(routes, host=here, context=context) as secured:
        port = (secured if choice == "https" else plain).port
        more = (*words.get(choice, ()), *([plain.port] if choice == "none" else []))
        passed("nodeport", port, "--request", choice, *more)
        asked = [request.target for request in (*plain.requests, *secured.requests)]
    assert asked == {"tcp": [], "http": ["/"], "https": ["/"], "none": ["/healthz"]}[choice]


class Pair(NamedTuple):
    """A primary of PostgreSQL and its standby."""

    primary: postgresql.PostgreSQL
    standby: postgresql.PostgreSQL


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with (
        postgresql.workplace() as place,
        postgresql.primary(place / "primary") as primary,
        postgresql.standby(place / "standby", primary) as standby,
    ):
        yield Pair(primary, standby)


@run_of("SqlOptions --role")
def _(choice: str, stage: Stage) -> None:
    pair = stage.want("pair")
    assert isinstance(pair, Pair)
    codes = [hacheck("sql", server.url(), "--role", choice, "--timeout", "10s").code for server in pair]
    assert codes == {"any": [0, 0], "primary": [0, 1], "standby": [1, 0]}[choice]


@run_of("TcpProbe --starttls")
def _(choice: str, stage: Stage) -> None:
    ports, trusted = stage.want("secure"), stage.want("authority")
    assert isinstance(ports, dict)
    assert isinstance(trusted, Authority)
    passed("tcp", f"localhost:{ports[choice]}", "-4", "--starttls", choice, "--ca-file", trusted.file)


# Notifiers


@run_of("DeliveryOptions --severity")
def _(choice: str, stage: Stage) -> None:
    words = ("notify", "--dry-run", "log", "--file", stage.path / "log", "--severity", choice, "INSTANCE", "VI_1")
    lines = {state: hacheck(*words, state, "100").out.partition(": ")[2] for state in ("MASTER", "STOP")}
    silent = {"info": [], "warning": ["MASTER"], "critical": ["MASTER", "STOP"]}[choice]
    assert [state for state, line in lines.items() if line.startswith("nothing")] == silent


@run_of("ExecNotifier --mode")
def _(choice: str, stage: Stage) -> None:
    told("exec", "--mode", choice, f"--command=sh -c 'echo $HACHECK_STATE >{stage.path}/ran'")
    assert (stage.path / "ran").read_text() == "FAULT\n"


@run_of("LogNotifier --log-format")
def _(choice: str, stage: Stage) -> None:
    told("log", "--file", stage.path / "log", "--log-format", choice)
    (line,) = (stage.path / "log").read_text().splitlines()
    assert json.loads(line)["state"] == "FAULT" if choice == "json" else re.search(r" FAULT\b", line)


@run_of("PagerdutyNotifier --region")
def _(choice: str, stage: Stage) -> None:
    host = {"us": "events.pagerduty.com", "eu": "events.eu.pagerduty.com"}[choice]
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(stage.path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(host).configure_cert(context)
    (stage.path / "key").write_text(PagerDuty.key)
    with PagerDuty(context=context) as service:
        way = ("--connect-to", f"127.0.0.1:{service.port}", "--ca-file", stage.path / "ca.pem")
        told("pagerduty", "--routing-key-file", stage.path / "key", "--region", choice, *way)
        assert {asked.headers["Host"] for asked in service.requests} == {host}


@run_of("SlackNotifier --thread")
def _(choice: str, stage: Stage) -> None:
    (stage.path / "token").write_text(SlackApi.token)
    with SlackApi() as slack:
        way = ("--api", f"{slack.url}/api", "--token-file", stage.path / "token", "--channel", slack.channel)
        told("slack", *way, "--thread", choice, state=str(stage.path))
        assert len(slack.posted) == 1


@contextmanager
def syslog(stage: Stage) -> Iterator[tuple[dict[str, tuple[object, ...]], Callable[[], dict[str, str]]]]:
    """rsyslog: the ways to it, and what it has taken."""
    ca = stage.path / "ca.pem"
    with rsyslog(stage.path, trustme.CA()) as daemon:
        ways: dict[str, tuple[object, ...]] = {
            "udp": ("--server", f"127.0.0.1:{daemon.udp}"),
            "tcp": ("--server", f"127.0.0.1:{daemon.tcp}", "--transport", "tcp"),
            "tls": ("--server", f"localhost:{daemon.tls}", "-4", "--transport", "tls", "--ca-file", ca),
            "unix": ("--server", f"unix:{stage.path}/log"),
        }  # fmt: skip
        yield ways, lambda: daemon.taken(1)[0]


@run_of("SyslogNotifier --transport")
def _(choice: str, stage: Stage) -> None:
    with syslog(stage) as (ways, taken):
        told("syslog", *ways[choice])
        assert taken()["app-name"] == "hacheck"


@run_of("SyslogNotifier --facility")
def _(choice: str, stage: Stage) -> None:
    with syslog(stage) as (ways, taken):
        told("syslog", *ways["udp"], "--facility", choice)
        assert taken()["syslogfacility-text"] == choice


@run_of("SyslogNotifier --message-format")
def _(choice: str, stage: Stage) -> None:
    with syslog(stage) as (ways, taken):
        told("syslog", *ways["unix" if choice == "local" else "udp"], "--message-format", choice)
        assert ("hacheck@32473" in taken()["structured-data"]) == (choice != "local")


@run_of("WebhookNotifier --preset")
def _(choice: str, stage: Stage) -> None:
    with Always(Route()) as anybody, Teams() as teams, Discord() as discord, Ntfy() as ntfy:
        hooks = {"generic": anybody.url, "teams": teams.hook, "discord": discord.hook, "ntfy": ntfy.hook}
        (stage.path / "url").write_text(hooks[choice])
        (stage.path / "token").write_text(Ntfy.token)
        login = ("--bearer-file", stage.path / "token") if choice == "ntfy" else ()
        told("webhook", "--url-file", stage.path / "url", "--preset", choice, *login)


@run_of("WebhookNotifier --cloudevents")
def _(choice: str, stage: Stage) -> None:
    with Always(Route()) as receiver:
        (stage.path / "url").write_text(receiver.url)
        told("webhook", "--url-file", stage.path / "url", "--cloudevents", choice)
    (asked,) = receiver.requests
    version = {"no": None, "binary": asked.headers.get("ce-specversion"),
               "structured": json.loads(asked.body).get("specversion")}[choice]  # fmt: skip
    assert version == (None if choice == "no" else "1.0")
    assert ("ce-specversion" in asked.headers) == (choice == "binary")


# The commands that are no checks


@run_of("ShowHistory --format")
def _(choice: str, stage: Stage) -> None:
    name = stage.path.name  # what others have left in /dev/shm is history as well
    say(stage.path, name, "MASTER")
    line = hacheck("history", "--instance", name, "--format", choice, HACHECK_STATE_DIR=str(stage.path)).line
    assert line.endswith(f"  MASTER  {name}") if choice == "text" else json.loads(line)["state"] == "MASTER"


@run_of("StatusOptions --format")
def _(choice: str, stage: Stage) -> None:
    with exporter(stage.path) as running:
        out = hacheck("status", "--url", running.url, "--format", choice).out
    assert "VIP" in out if choice == "text" else "vips" in json.loads(out)


@run_of("ExporterOptions --compat")
def _(choice: str, stage: Stage) -> None:
    with exporter(stage.path, "--compat", choice) as running:
        assert ("\nkeepalived_up " in running.get().body.decode()) == (choice == "keepalived")


@run_of("Completion SHELL")
def _(choice: str, _stage: Stage) -> None:
    word = {"bash": "complete -F", "fish": "complete --no-files", "zsh": "#compdef hacheck"}[choice]
    assert word in hacheck("completion", choice).out


@run_of("Notifications VERB")
def _(choice: str, stage: Stage) -> None:
    words = ("1h", "planned work") if choice == "silence" else ()
    answer = hacheck("notifications", choice, *words, HACHECK_STATE_DIR=str(stage.path))
    expected = {"drop": "dropped 0 dead letters", "list": "log: nothing waiting", "silence": "silenced for 60 min"}
    assert (answer.code, answer.err) == (0, "")
    assert expected.get(choice, "") in answer.out


@run_of("PlanCommand --color")
def _(choice: str, _stage: Stage) -> None:
    answer = hacheck("ipfailover", "plan", "--virtual-ips", "10.0.0.1", "--nodes", "a,b", "--color", choice)
    assert answer.code == 0
    assert ("\x1b[" in answer.out) == (choice == "always")


@run_of("MigrateCommand --write")
def _(choice: str, stage: Stage) -> None:
    old, new = stage.path / "old.env", stage.path / "new"
    old.write_text("OPENSHIFT_HA_VIRTUAL_IPS=10.0.0.1\nOPENSHIFT_HA_VRRP_ID_OFFSET=0\n")
    words = ("--virtual-ips", "10.0.0.1", "--nodes", "a,b", "--interface", "eth0", "--at", "10m", "--output", new)
    answer = hacheck("ipfailover", "migrate", "--against", old, *words, "--write", choice)
    assert answer.code == 0, answer
    expected = {"run": ["OpenShift-IPFailover.env"], "keepalived": ["a", "b"]}
    assert sorted(path.name for path in new.iterdir()) == expected[choice]


@run_of("ConfigurationOptions --spread")
@run_of("PlanCommand --format")
def _(choice: str, _stage: Stage) -> None:
    option = {"even": "--spread", "hash": "--spread"}.get(choice, "--format")
    answer = hacheck("ipfailover", "plan", "--virtual-ips", "10.0.0.1", "--nodes", "a,b", option, choice)
    assert answer.code == 0
    told = {"hash": "spread by hash", "json": '{"hachecks_ipfailover_plan": 1', "svg": ">Plan of ", "table": "VIP  "}
    expected = told.get(choice, "spread evenly")
    assert expected in answer.out


@run_of("RunCommand --preflight")
def _(choice: str, stage: Stage) -> None:
    # A network of its own has no eth0, for which Keepalived would wait, and so would we.
    command = [sys.executable, "-m", "hachecks", "ipfailover", "run", "--check-once", "--preflight", choice]
    command += ["--virtual-ips", "10.0.0.1", "--interface", "eth0", "--state-dir", str(stage.path)]
    command += ["--watch-port", "0", "--keepalived-config", str(stage.path / "keepalived.conf")]
    done = subprocess.run(["unshare", "--net", *command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == (1 if choice == "strict" else 0), done
    assert ("eth0 is not there" in done.stderr) == (choice != "off")


@run_of("ManifestsOptions --kind")
@run_of("ManifestsOptions --drain-volume")
@run_of("ManifestsOptions --format")
def _(choice: str, _stage: Stage) -> None:
    option = {"json": "-o", "yaml": "-o", "node": "--drain-volume", "pod": "--drain-volume"}.get(choice, "--kind")
    words = ("router", "--virtual-ips", "10.0.0.1", "--interface", "eth0", "--replicas", "2", option, choice)
    answer = hacheck("ipfailover", "manifests", *words)
    assert answer.code == 0
    kinds = {"daemonset": "kind: DaemonSet", "deployment": "kind: Deployment", "yaml": "kind: ServiceAccount"}
    told = {**kinds, "json": '"kind": "List"', "node": "hostPath:", "pod": "emptyDir: {}"}
    assert told[choice] in answer.out


@run_of("LintCommand --fail-on")
def _(choice: str, _stage: Stage) -> None:
    # Without an offset it finds a warning, and nothing worse.
    answer = hacheck("ipfailover", "lint", "--virtual-ips", "10.0.0.1", "--fail-on", choice)
    assert answer.code == {"error": 0, "warning": 1, "note": 1, "never": 0}[choice]
    assert " warning HA007: " in answer.out


@run_of("LintCommand --format")
def _(choice: str, _stage: Stage) -> None:
    answer = hacheck("ipfailover", "lint", "--virtual-ips", "10.0.0.1", "--format", choice)
    assert answer.code == 1
    told = {"json": '{"code": "HA007"', "sarif": '{"ruleId": "HA007"', "github": "::warning title=HA007 "}
    assert told.get(choice, " warning HA007: ") in answer.out


@run_of("LintCommand --kube-proxy-mode")
def _(choice: str, stage: Stage) -> None:
    service = stage.path / "service.yaml"
    service.write_text("kind: Service\nspec:\n  ports: [{nodePort: 30080}]\n  externalIPs: [10.0.0.1]\n")
    out = hacheck("ipfailover", "lint", service, "--kube-proxy-mode", choice).out
    found = {"iptables": set(), "ipvs": {"HA145"}, "nftables": {"HA144"}, "unknown": set()}[choice]
    assert {code for code in ("HA144", "HA145") if f" {code}: " in out} == found
