"""Prometheus warns of what it should, and of nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from hachecks.agent.wire.metrics import all_metrics as metrics_of_agent
from hachecks.exporter.metrics import all_metrics
from tests.cli import ROOT
from tests.monitors import until
from tests.prometheus_server import prometheus, query, rules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Rule = dict[str, Any]

CONFIGMAPS = ROOT / "configmaps"
SCENARIOS = sorted((ROOT / "tests/alerts").glob("*.yaml"))
OBJECT = yaml.safe_load((CONFIGMAPS / "prometheus-rules.yaml").read_text())
GROUPS = OBJECT["spec"]["groups"]
ALERTS: list[Rule] = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
RECORDED: list[Rule] = [rule for group in GROUPS for rule in group["rules"] if "record" in rule]
DASHBOARD = json.loads(yaml.safe_load((CONFIGMAPS / "grafana-dashboard.yaml").read_text())["data"]["hachecks.json"])
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
BY_GROUP = [ROOT / f"tests/alerts/{group['name'].replace('hachecks.', '')}.yaml" for group in GROUPS]
TESTS = [test for path in SCENARIOS for test in yaml.safe_load(path.read_text())["tests"]]

pytestmark = pytest.mark.skipif(
    not shutil.which("promtool") and not os.environ.get("CI"),
    reason="promtool is not installed: apt-get install prometheus",
)


def promtool(*words: object) -> tuple[int, str]:
    done = subprocess.run(
        ["promtool", *map(str, words)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def written(directory: Path, groups: list[Rule]) -> Path:
    """The directory as promtool's tests need it: the rules, and every scenario beside them."""
    directory.mkdir(exist_ok=True)
    (directory / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}, sort_keys=False))
    for path in SCENARIOS:
        shutil.copy(path, directory)
    return directory


def test_the_rules_are_valid(tmp_path: Path) -> None:
    code, said = promtool("check", "rules", written(tmp_path, GROUPS) / "rules.yaml")
    assert (code, f"SUCCESS: {len(ALERTS) + len(RECORDED)} rules found" in said) == (0, True), said


@pytest.mark.parametrize("scenarios", [pytest.param(path.name, id=path.stem) for path in SCENARIOS])
def test_every_scenario_ends_as_it_says(tmp_path: Path, scenarios: str) -> None:
    code, said = promtool("test", "rules", written(tmp_path, GROUPS) / scenarios)
    assert code == 0, said


@pytest.mark.parametrize("name", [rule["alert"] for rule in ALERTS])
def test_an_alert_fires_in_one_scenario_and_never_in_another(name: str) -> None:
    outcomes = [
        [bool(asked["exp_alerts"]) for asked in test.get("alert_rule_test", ()) if asked["alertname"] == name]
        for test in TESTS
    ]
    assert any(any(outcome) for outcome in outcomes), "it fires in no scenario"
    assert any(outcome and not any(outcome) for outcome in outcomes), "there is no scenario in which it must not fire"


@pytest.mark.parametrize("name", [rule["record"] for rule in RECORDED])
def test_what_is_recorded_is_seen_with_two_values(name: str) -> None:
    asked = [one for test in TESTS for one in test.get("promql_expr_test", ()) if name in one["expr"]]
    values = {json.dumps([sample["value"] for sample in one["exp_samples"]]) for one in asked}
    assert len(values) >= 2


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule["alert"]) for rule in ALERTS])
def test_an_alert_says_what_it_means_and_where_to_read_on(rule: Rule) -> None:
    assert rule["alert"].startswith("IPFailover")
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert " first" in rule["annotations"]["description"]
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"


@pytest.mark.parametrize("name", [rule["alert"] for rule in ALERTS])
def test_the_runbook_has_an_entry_for_the_alert(name: str) -> None:
    runbook = (ROOT / "docs/runbook.md").read_text()
    assert re.search(rf'^#+ {name}$|<a id="{name.lower()}"></a>', runbook, re.MULTILINE), (
        f"docs/runbook.md says nothing of {name}"
    )


def test_alertmanager_takes_what_the_runbook_has_it_hold_back(tmp_path: Path) -> None:
    runbook = (ROOT / "docs/runbook.md").read_text()
    (block,) = re.findall(r"^```yaml\n(inhibit_rules:\n.*?)^```$", runbook, re.MULTILINE | re.DOTALL)
    path = tmp_path / "alertmanager.yml"
    path.write_text(f"route: {{receiver: nobody}}\nreceivers: [{{name: nobody}}]\n{block}")
    done = subprocess.run(["amtool", "check-config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    named = set(re.findall(r"IPFailover\w+", block))
    assert named
    assert named <= {rule["alert"] for rule in ALERTS}


def mutants() -> Iterator[tuple[str, list[Rule], list[Rule]]]:
    """Each rule with a threshold, comparison or waiting time changed: what, the rules there are then, the scenarios."""
    for group, path in zip(GROUPS, BY_GROUP):
        scenarios = yaml.safe_load(path.read_text())["tests"]
        for number, rule in enumerate(group["rules"]):
            name = rule.get("alert")
            for what, changed in changes(rule):
                there = [*group["rules"][:number], changed, *group["rules"][number + 1 :]]
                needed = [one for one in there if not name or "record" in one or one is changed]
                about = [only(name, test) for test in scenarios] if name else scenarios
                yield f"{name or rule['record']}: {what}", needed, [test for test in about if test]


def only(alert: str, test: Rule) -> Rule | None:
    """What a scenario says about one alert, the quicker to be run; None when that is nothing."""
    asked = [one for one in test.get("alert_rule_test", ()) if one["alertname"] == alert]
    return (
        {"interval": test["interval"], "input_series": test["input_series"], "alert_rule_test": asked}
        if asked
        else None
    )


def changes(rule: Rule) -> Iterator[tuple[str, Rule]]:
    expression = rule["expr"]
    bare = re.sub(r'"[^"]*"', lambda text: "_" * len(text[0]), expression)  # positions stay
    for found in re.finditer(r" (==|>|<) ", bare):
        for other in {"==": ("!=",), ">": (">=", "<"), "<": ("<=", ">")}[found[1]]:
            yield f"{found[1]} is {other}", {**rule, "expr": spliced(expression, found.span(1), other)}
    for found in re.finditer(r"(?<![\w.\[])\d+(\.\d+)?(?![\w.])", bare):
        value = float(found[0])
        for figure in (value * 0.9, value * 1.1) if value % 1 else (value - 1, value + 1):
            yield f"{found[0]} is {figure:g}", {**rule, "expr": spliced(expression, found.span(), f"({figure:g})")}
    waiting = seconds(rule.get("for", "0m"))
    for wait in (waiting - 15, waiting + 15) if waiting else (60,) if "alert" in rule else ():
        yield f"for {waiting} s is {wait} s", {**rule, "for": f"{wait}s"}


def spliced(text: str, span: tuple[int, int], other: str) -> str:
    return text[: span[0]] + other + text[span[1] :]


def seconds(duration: str) -> int:
    assert duration.endswith("m"), duration
    return 60 * int(duration[:-1])


def test_no_threshold_can_be_changed_unnoticed(tmp_path: Path) -> None:
    def survives(number: int, what: str, changed: list[Rule], scenarios: list[Rule]) -> str:
        files: dict[str, Any] = {"rules": {"groups": [{"name": "changed", "rules": changed}]}}
        files["tests"] = {"rule_files": ["rules.yaml"], "evaluation_interval": "15s", "tests": scenarios}
        directory = tmp_path / str(number)
        directory.mkdir()
        for name, document in files.items():
            (directory / f"{name}.yaml").write_text(json.dumps(document))
        return what if promtool("test", "rules", directory / "tests.yaml")[0] == 0 else ""

    numbered = [(number, *mutant) for number, mutant in enumerate(mutants())]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        survivors = list(pool.map(lambda mutant: survives(*mutant), numbered))
    assert len(survivors) > 80
    assert [what for what in survivors if what] == []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that has our rules and nothing to scrape."""
    directory = written(tmp_path_factory.mktemp("prometheus"), GROUPS)
    with prometheus(directory, {"global": {"evaluation_interval": "1s"}, "rule_files": ["rules.yaml"]}) as url:
        yield url


def test_prometheus_loads_and_evaluates_every_rule(server: str) -> None:
    until(lambda: all(rule["health"] != "unknown" for rule in rules(server)))
    loaded = rules(server)
    assert len(loaded) == len(ALERTS) + len(RECORDED)
    assert {rule["health"] for rule in loaded} == {"ok"}


def expressions() -> list[str]:
    """Every query of the dashboard, as Grafana sends it with all namespaces and nodes chosen."""
    asked = [target["expr"] for panel in PANELS for target in panel["targets"]]
    asked += [annotation["expr"] for annotation in DASHBOARD["annotations"]["list"]]
    variables = {"$namespace": ".*", "$instance": ".*", "$__rate_interval": "1m"}
    for name, value in variables.items():
        asked = [expression.replace(name, value) for expression in asked]
    return asked


@pytest.mark.parametrize("expression", expressions())
def test_prometheus_evaluates_every_query_of_the_dashboard(server: str, expression: str) -> None:
    assert "$" not in expression
    query(server, expression)


def test_every_panel_has_a_place_and_a_unit_of_its_own() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert len({panel["title"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
    assert all(panel["fieldConfig"]["defaults"]["unit"] and panel["description"] for panel in PANELS)


def test_every_query_asks_the_chosen_source_for_the_chosen_namespace() -> None:
    for panel in PANELS:
        assert panel["targets"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            assert target["legendFormat"]
            assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            selectors = re.findall(r"\{([^}]*)\}", target["expr"])
            assert selectors
            assert all('namespace=~"$namespace"' in selector for selector in selectors), target["expr"]
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "namespace", "instance"]
    assert DASHBOARD["schemaVersion"] >= 38  # Grafana 10


def test_every_metric_that_is_asked_for_is_given_or_recorded() -> None:
    texts = [rule["expr"] for rule in (*ALERTS, *RECORDED)] + expressions()
    asked = {name for text in texts for name in re.findall(r"(?<![\w:])hachecks_\w+(?![\w:])", text)}
    given = {one.name for one in (*all_metrics(), *metrics_of_agent())}
    recorded = {rule["record"] for rule in RECORDED}
    assert {name for text in texts for name in re.findall(r"\w+:hachecks_\w+:\w+", text)} <= recorded
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked} - given == set()
