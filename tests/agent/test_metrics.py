"""The agent tells of itself how late it runs, what it published, and what others did in its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from hachecks.agent.metrics import all_metrics
from tests.agent.running import agent, one_check
from tests.cli import ROOT, hacheck
from tests.exporter.running import configuration
from tests.monitors import promtool_complaints

if TYPE_CHECKING:
    from pathlib import Path

    from hachecks.services.exposition import Description

MANY = 1000


def file_check(state: Path, name: str = "there", interval: str = "100ms", **keys: object) -> str:
    (state / "file").touch()
    return one_check(name, "file", path=str(state / "file"), interval=interval, **keys)


def test_it_tells_how_it_runs(tmp_path: Path) -> None:
    with agent(file_check(tmp_path), tmp_path) as running:
        running.until("it delivers", lambda: running.metrics().of("hachecks_agent_delivers") == 1)
        series = running.metrics()
        assert series.of("hachecks_agent_checks") == 1
        assert series.of("hachecks_agent_checks_waiting") == 0
        assert (series.of("hachecks_agent_threads") or 0) >= 1
        assert series.of("hachecks_agent_threads_stuck") == 0
        assert series.of("hachecks_agent_stalled") == 0
        assert 0 <= (series.of("hachecks_agent_published_age_seconds", check="there") or 0) < 60
        assert series.of("hachecks_agent_fallbacks_total", check="there") == 0
        bounds = ("0.001", "1.0", "+Inf")
        counts = [series.of("hachecks_agent_run_delay_seconds_bucket", le=bound) or 0 for bound in bounds]
        assert 0 < counts[-1] == series.of("hachecks_agent_run_delay_seconds_count")
        assert counts == sorted(counts)
        assert promtool_complaints(running.get("metrics").body.decode()) == ""
        assert (series.of("hachecks_check_runs_total", check="there") or 0) >= 1


def test_it_tells_how_it_was_reloaded(tmp_path: Path) -> None:
    with agent("[check.x\n", tmp_path, ready=False) as running:
        assert running.metrics().of("hachecks_config_last_reload_successful") == 0
        assert running.metrics().of("hachecks_config_last_reload_success_timestamp_seconds") is None
        running.declare(file_check(tmp_path))
        running.until("it is read", lambda: running.metrics().of("hachecks_config_last_reload_successful") == 1)
        running.declare("[check.x\n")
        running.until("it is refused", lambda: running.metrics().of("hachecks_config_last_reload_successful") == 0)
        series = running.metrics()
        assert series.of("hachecks_config_reloads_total") == 3
        assert (series.of("hachecks_config_last_reload_success_timestamp_seconds") or 0) > 1e9
        assert series.of("hachecks_agent_checks") == 1


def test_what_others_had_to_look_at_themselves_is_counted(tmp_path: Path) -> None:
    with agent(file_check(tmp_path), tmp_path) as running:
        other = ("--config", running.config, "--state-dir", tmp_path, "--rise", "2")  # which is not what is published
        answer = hacheck("run", "there", *other)
        assert answer.code == 0, answer
        (tmp_path / "file").unlink()  # what is news is written at once, and what is there read before
        running.until(
            "it has noticed", lambda: running.metrics().of("hachecks_agent_fallbacks_total", check="there") == 1
        )


def test_each_of_a_thousand_checks_is_shown(tmp_path: Path) -> None:
    toml = "".join(file_check(tmp_path, f"c{number}", "1s") for number in range(MANY))
    with agent(toml, tmp_path) as running:
        shown = [one for one, _ in running.metrics() if one == "hachecks_check_up"]
        assert len(shown) == MANY
        assert running.metrics().of("hachecks_agent_checks") == MANY


def test_every_metric_is_documented_and_no_other() -> None:
    page = (ROOT / "docs/agent.md").read_text()
    named = set(re.findall(r"\bhachecks_(?:agent|config)_\w+", page))
    declared = {one.name for one in all_metrics()}
    assert {name for name in named if not name.endswith("_findings")} == declared


@pytest.mark.parametrize("metric", [pytest.param(one, id=one.name) for one in all_metrics()])
def test_a_counter_ends_as_one_and_its_help_is_a_sentence(metric: Description) -> None:
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.help.endswith(".")


def test_with_255_vips_and_peers_it_is_small(tmp_path: Path) -> None:
    (tmp_path / "keepalived.conf").write_text(configuration(255))
    toml = "".join(file_check(tmp_path, f"c{number}", "1s") for number in range(50))
    words = ("--keepalived-config", str(tmp_path / "keepalived.conf"), "--peer", "http://127.0.0.1:1/")
    with agent(toml, tmp_path, *words) as running:
        for path in ("metrics", "", "api/status") * 2:
            assert running.get(path, Accept_Encoding="gzip").status == 200
        with open(f"/proc/{running.process.pid}/status") as status:
            (kibibytes,) = (int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
        assert kibibytes <= 80 * 1024
