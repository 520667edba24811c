"""A running exporter: what it serves, to whom, and that bad input leaves the rest being served."""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import bcrypt
import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics

from hachecks.exporter.configuration import signature
from tests.cli import ROOT
from tests.exporter.running import Exporter, configuration, exporter, say
from tests.monitors import promtool_complaints, until
from tests.prometheus_server import prometheus, query, rules
from tests.servers import Refusing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULES = ROOT / "configmaps/prometheus-rules.yaml"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a configuration of three instances, of which Keepalived has spoken."""
    directory = tmp_path / "state"
    directory.mkdir()
    (directory / "keepalived.conf").write_text(configuration(3))
    for number in (1, 2, 3):
        say(directory, f"VI_{number}", "BACKUP", seconds_ago=15)
    say(directory, "VI_1", "MASTER", seconds_ago=8)
    return directory


def run(state: Path, *words: str) -> Iterator[Exporter]:
    with exporter(state, "--keepalived-config", str(state / "keepalived.conf"), *words) as running:
        yield running


@pytest.fixture
def running(state: Path) -> Iterator[Exporter]:
    yield from run(state)


@pytest.fixture
def compatible(state: Path) -> Iterator[Exporter]:
    yield from run(state, "--compat", "keepalived")


def check(state: Path, path: str) -> None:
    """Run a named check as Keepalived would, until it has left its verdict: for a disk it waits 200 ms only."""
    (state / "hacheck.toml").write_text(f'[check.web]\nprobe = "file"\npath = "{path}"\n')
    words = ["run", "web", "--config", str(state / "hacheck.toml"), "--state-dir", str(state)]
    before = signature([str(state / "verdict-web")])

    def is_told() -> bool:
        subprocess.run([sys.executable, "-m", "hachecks", *words], check=False, capture_output=True)
        return signature([str(state / "verdict-web")]) != before

    until(is_told)


def test_promtool_has_nothing_to_say(state: Path, compatible: Exporter) -> None:
    check(state, "/dev/null")
    assert promtool_complaints(compatible.get().body.decode()) == ""


def test_both_formats_are_served_by_accept_and_compressed(compatible: Exporter) -> None:
    plain = compatible.get()
    assert plain.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    open_metrics = compatible.get(Accept=OPENMETRICS)
    assert open_metrics.headers["Content-Type"].startswith(f"{OPENMETRICS.replace(';', '; ')}; charset=utf-8")
    families = list(read_openmetrics(open_metrics.body.decode()))  # type: ignore[no-untyped-call]
    assert {"hachecks_vip_present", "hachecks_vrrp_transitions", "process_cpu_seconds"} <= {f.name for f in families}
    compressed = compatible.get(Accept_Encoding="gzip")
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert b"hachecks_vip_present" in gzip.decompress(compressed.body)
    assert "Content-Encoding" not in compatible.get(Accept_Encoding="gzip;q=0").headers


def test_the_names_of_published_dashboards_are_served_if_wanted(running: Exporter, compatible: Exporter) -> None:
    assert not [name for name, _ in running.metrics() if name.startswith("keepalived_")]
    metrics = compatible.metrics()
    labels = {"iname": "VI_1", "intf": "eth0", "vrid": "1"}
    assert metrics.of("keepalived_vrrp_state", **labels, ip_address="10.250.0.1") is not None
    assert metrics.of("keepalived_become_master_total", **labels) == 1
    assert not [name for name, _ in metrics if "advertisements" in name], "nobody has asked Keepalived for them"


def test_what_is_not_known_is_absent(tmp_path: Path) -> None:
    (tmp_path / "keepalived.conf").write_text(configuration(1))
    with exporter(tmp_path, "--keepalived-config", str(tmp_path / "keepalived.conf")) as running:
        metrics = running.metrics()
        assert metrics.of("hachecks_vrrp_last_transition_timestamp_seconds") is None
        assert metrics.of("hachecks_check_up") is None
        assert metrics.of("hachecks_check_interval_seconds", check="web") == 2
        assert metrics.state("VI_1") == "UNKNOWN"
        assert metrics.of("hachecks_vip_expected", vip="10.250.0.1") == 0, "no Keepalived runs, and that is known"


def test_a_word_of_keepalived_is_in_the_next_scrape(state: Path, running: Exporter) -> None:
    assert running.metrics().of("hachecks_vrrp_transitions_total", vrrp_instance="VI_2", state="MASTER") == 0
    say(state, "VI_2", "MASTER")
    assert running.metrics().of("hachecks_vrrp_transitions_total", vrrp_instance="VI_2", state="MASTER") == 1


def test_the_verdict_of_a_check_is_in_the_next_scrape(state: Path, running: Exporter) -> None:
    check(state, "/dev/null")
    assert running.metrics().of("hachecks_check_up", check="web") == 1
    check(state, "/nonexistent")
    metrics = running.metrics()
    assert metrics.of("hachecks_check_up", check="web") == 0
    assert metrics.of("hachecks_check_runs_total", check="web") == 2
    assert metrics.of("hachecks_check_duration_seconds_count", check="web") == 2
    (told,) = running.status()["checks"]
    assert "does not exist" in told["reason"]


def test_a_deleted_vip_leaves_no_series(state: Path, running: Exporter) -> None:
    (state / "keepalived.conf").write_text(configuration(2))
    running.until("it is gone", lambda: b"VI_3" not in running.get().body)


def test_openshifts_variables_are_enough(tmp_path: Path) -> None:
    words = ("--keepalived-config", str(tmp_path / "none"))
    with exporter(
        tmp_path, *words, OPENSHIFT_HA_VIRTUAL_IPS="10.250.0.1-3", OPENSHIFT_HA_VRRP_ID_OFFSET="10"
    ) as running:
        metrics = running.metrics()
        assert metrics.of("hachecks_vip_info", vip="10.250.0.3", vrid="13") == 1
        assert metrics.of("hachecks_vip_present", vip="10.250.0.3") == 0


def test_health_and_readiness_are_told(running: Exporter) -> None:
    assert running.get("-/healthy").status == running.get("-/ready").status == 200
    assert running.get("nothing").status == 404


def test_the_page_is_new_only_when_something_is(state: Path, running: Exporter) -> None:
    page = running.get("")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"10.250.0.1" in page.body
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert running.get("", If_None_Match=page.headers["ETag"]).status == 304
    say(state, "VI_3", "FAULT")
    assert running.get("", If_None_Match=page.headers["ETag"]).status == 200


def test_a_real_prometheus_scrapes_it(state: Path, compatible: Exporter, tmp_path: Path) -> None:
    directory = tmp_path / "prometheus"
    directory.mkdir()
    (directory / "rules.yml").write_text(yaml.safe_dump(yaml.safe_load(RULES.read_text())["spec"]))
    targets = [{"targets": [compatible.url.removeprefix("http://").rstrip("/")]}]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "ipfailover", "static_configs": targets}],
    }
    check(state, "/dev/null")
    with prometheus(directory, config) as url:
        compatible.until("it is scraped", lambda: query(url, 'up{job="ipfailover"} == 1'))
        assert len(query(url, "hachecks_vip_present")) == 3
        assert query(url, 'hachecks_check_up{check="web"} == 1')
        compatible.until("the rules are evaluated", lambda: {rule["health"] for rule in rules(url)} == {"ok"})
        compatible.until("they see it", lambda: query(url, 'ALERTS{alertname="IPFailoverKeepalivedDown"}'))


def test_the_exporter_ends_at_sigterm(state: Path) -> None:
    with exporter(state) as running:
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
    assert not [line for line in running.lines if "Traceback" in line]


def test_the_exporter_can_be_ended_from_its_first_word_on(state: Path) -> None:
    many = [word for _ in range(100) for word in ("--listen", "127.0.0.1:0")]
    with exporter(state, *many, ready=False) as running:
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0


# What is wrong is told in one line, and the rest goes on being served.


def troubles(running: Exporter) -> list[str]:
    return [line for line in running.lines if "serving" not in line]


def put(path: Path, text: str) -> None:
    """Write a file in one step: else it may be seen while it is empty, which is another trouble."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)


@pytest.mark.parametrize("size", [40, 200])
def test_a_half_written_configuration_leaves_the_former_in_force(state: Path, running: Exporter, size: int) -> None:
    before = (state / "keepalived.conf").read_text()
    put(state / "keepalived.conf", before[:size])
    running.until("it is told", lambda: troubles(running))
    (line,) = troubles(running)
    assert line.startswith(f"hacheck: exporter: {state}/keepalived.conf")
    assert "what was configured before is still served" in line
    metrics = running.metrics()
    assert metrics.of("hachecks_source_up", source="configuration") == 0
    assert metrics.of("hachecks_vip_info", vip="10.250.0.3") == 1
    put(state / "keepalived.conf", before)
    running.until("it is well", lambda: running.metrics().of("hachecks_source_up", source="configuration") == 1)
    running.until("that is told", lambda: len(troubles(running)) > 1)
    assert len(troubles(running)) == 2


def test_a_journal_with_torn_and_foreign_lines_is_read_on(state: Path, running: Exporter) -> None:
    with (state / "journal").open("ab") as journal:
        journal.write(b"\x1e1\x1fINSTANCE\x1fVI_2\x1fMAS" + b"\nrubbish\n\xff\xfe\n")
    say(state, "VI_2", "FAULT")
    running.until("it is read", lambda: running.metrics().of(
        "hachecks_vrrp_transitions_total", vrrp_instance="VI_2", state="FAULT") == 1)  # fmt: skip
    assert running.metrics().of("hachecks_vrrp_transitions_total", vrrp_instance="VI_2", state="MASTER") == 0


def test_a_verdict_that_is_rubbish_is_passed_over(state: Path, running: Exporter) -> None:
    check(state, "/dev/null")
    (state / "verdict-other").write_bytes(b"\xff\0rubbish")
    assert running.metrics().of("hachecks_check_up", check="web") == 1


def test_a_fifo_that_is_a_regular_file_is_refused_and_the_rest_served(state: Path) -> None:
    (state / "fifo").write_text("")
    words = ("--keepalived-config", str(state / "keepalived.conf"), "--fifo", str(state / "fifo"))
    with exporter(state, *words) as running:
        running.until("it is told", lambda: troubles(running))
        (line,) = troubles(running)
        assert "is no FIFO; make it with mkfifo before Keepalived starts" in line
        assert running.metrics().of("hachecks_source_up", source="fifo") == 0
        assert running.metrics().of("hachecks_vip_info", vip="10.250.0.1") == 1
        (state / "fifo").unlink()
        os.mkfifo(state / "fifo")
        running.until("it is followed", lambda: running.metrics().of("hachecks_source_up", source="fifo") == 1)
        with (state / "fifo").open("w") as fifo:
            fifo.write('INSTANCE "VI_3" FAULT 100\n')
        running.until("it is heard", lambda: running.metrics().of(
            "hachecks_vrrp_transitions_total", vrrp_instance="VI_3", state="FAULT") == 1)  # fmt: skip


def test_an_occupied_port_is_told_and_the_others_are_served(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        with exporter(state, "--listen", f"127.0.0.1:{port}", "--keepalived-config", "/nonexistent") as running:
            running.until("it is told", lambda: any(f"127.0.0.1:{port}" in line for line in running.lines))
            (line,) = [line for line in running.lines if f"127.0.0.1:{port}" in line]
            assert line.endswith("cannot be listened on: Address already in use; choose another with --listen")
            assert running.get("-/healthy").status == 200
        alone = [sys.executable, "-m", "hachecks", "exporter", "--listen", f"127.0.0.1:{port}"]
        done = subprocess.run(alone, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_ipv6_and_several_addresses_are_listened_on(state: Path) -> None:
    with exporter(state, "--listen", "[::1]:0") as running:
        running.until("both serve", lambda: len(running.urls) == 2)
        assert [url for url in running.urls if url.startswith("http://[::1]:")]


@pytest.mark.parametrize("address", ["9100", "host", "[::1", "::1:80", "127.0.0.1:99999"])
def test_what_is_no_address_is_a_usage_error(address: str) -> None:
    command = [sys.executable, "-m", "hachecks", "exporter", "--listen", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert "is no address to listen on; write HOST:PORT, [::1]:PORT or :PORT" in done.stderr


def test_users_and_tls_are_of_the_web_config(state: Path) -> None:
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (state / "web.yml").write_text(f"basic_auth_users: {{prometheus: '{hashed}'}}\n")
    command = ["--web-config", str(state / "web.yml"), "--keepalived-config", str(state / "keepalived.conf")]
    listening = [sys.executable, "-m", "hachecks", "exporter", "--listen", "127.0.0.1:0", "--state-dir", str(state)]
    process = subprocess.Popen([*listening, *command], stderr=subprocess.PIPE, text=True)
    try:
        running = Exporter(process)
        running.until("it serves", lambda: running.urls)
        assert running.get().status == 401
        user = base64.b64encode(b"prometheus:secret").decode()
        assert running.get(Authorization=f"Basic {user}").status == 200
        assert running.get(Authorization="Basic cHJvbWV0aGV1czp3cm9uZw==").status == 401
    finally:
        process.terminate()
        process.wait(5)


def test_a_mistake_in_the_web_config_is_a_usage_error(state: Path) -> None:
    (state / "web.yml").write_text("basic_auth_user: {}\n")
    command = [sys.executable, "-m", "hachecks", "exporter", "--web-config", str(state / "web.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert "basic_auth_users" in done.stderr


def status(state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hachecks", "status", "--state-dir", str(state)]
    own = ["--keepalived-config", str(state / "keepalived.conf")]
    return subprocess.run([*command, *own, *words], capture_output=True, text=True, timeout=20, check=False)


def test_hacheck_status_exits_1_while_something_is_not_known(state: Path) -> None:
    done = status(state)
    assert done.returncode == 1
    first = done.stdout.splitlines()[0]
    assert ": Keepalived does not run, and its VIPs are not here" in first


def test_hacheck_status_says_the_same_as_the_exporter_it_asks(state: Path, running: Exporter) -> None:
    own = json.loads(status(state, "--format", "json").stdout)
    asked = json.loads(status(state, "--format", "json", "--url", running.url).stdout)
    assert [vip["vip"] for vip in own["vips"]] == [vip["vip"] for vip in asked["vips"]]
    assert own.keys() == asked.keys()


def test_hacheck_status_says_when_nobody_answers(state: Path) -> None:
    with Refusing("127.0.0.1") as refusing:
        done = status(state, "--url", f"http://127.0.0.1:{refusing.port}/")
    assert done.returncode == 1
    assert done.stdout.startswith(f"UNKNOWN - 127.0.0.1:{refusing.port} refused the connection; is the exporter there?")


def test_hacheck_status_watches_until_it_is_interrupted(state: Path) -> None:
    command = [sys.executable, "-m", "hachecks", "status", "--watch", "--every", "100ms", "--format", "json"]
    own = ["--state-dir", str(state), "--keepalived-config", str(state / "none")]
    # Where the tests run in the background it is ignored, and so it would be here.
    interruptible = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    process = subprocess.Popen([*command, *own], stdout=subprocess.PIPE, text=True, preexec_fn=interruptible)  # noqa: PLW1509
    try:
        assert process.stdout is not None
        with process.stdout as lines:
            shown = [[one["vrrp_instance"] for one in json.loads(next(lines))["instances"]] for _ in range(2)]
            process.send_signal(signal.SIGINT)
        assert shown == [["VI_1", "VI_2", "VI_3"]] * 2, "what Keepalived has spoken of"
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait()


def test_what_a_neighbour_names_in_a_shared_place_changes_nothing(state: Path) -> None:
    """Names of files are bytes: whoever shows them has to make text of them."""
    odd = b"\xff\x1b[2J\xe2\x80\xae\n"
    made = [b"/dev/shm/hacheck-" + odd, *(os.fsencode(state) + b"/" + name + odd for name in (b"queue-", b"verdict-"))]
    try:
        os.mkdir(made[0], 0o777)
        os.chmod(made[0], 0o777)
        for path in made[1:]:
            with open(path, "w") as file:
                file.write('{"told": 1, "waiting": 1, "trouble": "\\ud800\\u202e"}')
        for running in run(state):
            for page in ("metrics", "", "api/status"):
                answer = running.get(page)
                assert answer.status == 200
                assert not {"\x1b", "\u202e"} & set(answer.body.decode()), page
            assert all(map(str.isprintable, running.lines))
            assert running.metrics().of("hachecks_notify_queue_length", notifier=r"\xff\x1b[2J\u202e\n") == 1
    finally:
        os.rmdir(made[0])
