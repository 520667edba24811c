"""Pairs of configurations that nobody wrote down: what migrate tells is what the plan says."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import pytest

from hachecks.click_settings import SettingsCommand
from hachecks.ipfailover.commands.migrate import MigrateCommand
from hachecks.ipfailover.commands.plan import PlanCommand
from hachecks.settings import Invalid, build
from tests.ipfailover.given import EXAMPLES, variables
from tests.ipfailover.manifesting import Said, manifests

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VALUES: dict[str, tuple[str, ...]] = {
    "CONFIG_NAME": ("a", "b", "router-long-name"),
    "VIRTUAL_IPS": ("10.0.0.1-3", "10.0.0.1-4", "10.0.0.2-3,10.0.0.1", "fd00::1-3", "10.0.0.1-2,fd00::1-2",
                    "10.0.0.9,10.0.0.3", "10.0.0.1-10.0.1.20"),
    "NODES": ("a,b", "a,b,c", "c,d", "10.1.0.1,10.1.0.2", ""),
    "NETWORK_INTERFACE": ("eth0", "br-ex", ""),
    "VRRP_ID_OFFSET": ("0", "1", "10", "250", ""),
    "VIP_GROUPS": ("1", "2", "", ""),
    "VRRP_VERSION": ("2", "3", ""),
    "ADVERT_INT": ("1", "2", "0.1", ""),
    "UNICAST_PEERS": ("", "", "10.1.0.1,10.1.0.2", "10.1.0.1,10.1.0.2,10.1.0.3", "fd01::1,fd01::2"),
    "PREEMPTION": ("nopreempt", "preempt", "preempt_delay 5", ""),
    "PREFER": ("", "", "10.0.0.1=b", "10.0.0.3=a"),
    "AUTH_HMAC_KEY_FILE": ("", "", "", "/etc/k", "/etc/l"),
    "AUTH_HMAC_MODE": ("", "", "permissive", "enforce"),
    "AUTH_PASS_FILE": ("", "", "", "/etc/p"),
    "CHANGE_AT": ("", "", "", "2020-01-01T00:00:00Z", "2036-01-01T00:00:00Z"),
    "VERBATIM": ("", "", "", "down_timer_adverts 5", "garp_master_delay 1"),
}  # fmt: skip
WAYS: tuple[tuple[str, ...], ...] = (
    (), ("--spread", "hash"), ("--nodes", "a,b,c"), ("--clocks", "2s"), ("--max-outage", "1s"), ("--at", "10m"),
    ("--at", "2020-01-01T00:00:00Z"), ("--at", "1e400s"), ("--clocks", "-1s"), ("--clocks", "61s"),
)  # fmt: skip
PARTED = re.compile(r"elect two owners of these VIPs:\n((?:    [^\n]*\n?)*)")


class Outcome(NamedTuple):
    """The exit status, what was said, and why it was refused."""

    code: int
    out: str
    why: str = ""


def outcome(command: Any, *words: object) -> Outcome:
    """What a command says."""
    said = Said()
    codes: list[int] = []

    def act(values: Mapping[str, Any], _: Mapping[str, str]) -> int:
        codes.append(not build(command, command.__name__, values, {}, {}).run({}, said))
        return 0

    try:
        SettingsCommand("x", (command,), act).main(list(map(str, words)), standalone_mode=False)
    except (Invalid, click.UsageError) as refusal:
        why = getattr(refusal, "message", str(refusal))
        assert "\n" not in why
        assert said.out == []
        return Outcome(2, "", why)
    return Outcome(codes[0], "\n".join(said.out))


def written(path: Path, given: Mapping[str, str]) -> Path:
    path.write_text("".join(f"{name}='{text}'\n" for name, text in variables(**given).items() if text))
    return path


def some(chance: random.Random) -> dict[str, str]:
    """Variables, not so many that one of them contradicts another each time."""
    given = {name: chance.choice(values) if chance.random() < 0.3 else "" for name, values in VALUES.items()}
    return {**given, "CONFIG_NAME": "a", "VIRTUAL_IPS": chance.choice(VALUES["VIRTUAL_IPS"])}


def parted(told: str) -> int:
    """How many VIPs are told as parted."""
    found = PARTED.search(told)
    counts = re.findall(r"^    \S+(?: and ([0-9]+) more)?: ", found[1], re.MULTILINE) if found else []
    return sum(1 + int(more or 0) for more in counts)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_told_is_what_the_plan_says(tmp_path: Path, seed: int) -> None:
    chance, answered = random.Random(f"migrate {seed}"), 0
    for _ in range(max(25, EXAMPLES // 5)):
        before = some(chance)
        changed = chance.sample(list(VALUES), chance.choice([1, 1, 2, 3]))
        after = {**before, **{name: chance.choice(VALUES[name]) for name in changed}}
        old, new = written(tmp_path / "old.env", before), written(tmp_path / "new.env", after)
        way = chance.choice(WAYS)
        words = ("--against", old, "--env-file", new)
        told = outcome(MigrateCommand, *words, *way)
        if told.code == 2:
            continue
        planned = [word for word in way if way[0] in ("--spread", "--nodes")]
        plan = outcome(PlanCommand, *words, "--format", "json", *planned)
        assert plan.code != 2, plan.why
        twice = [one for one in json.loads(plan.out)["changes"] if one["kind"] == "served twice"]
        assert parted(told.out) == len(twice), (before, after, told.out)
        assert ("Nothing is to be migrated" in told.out) == (not twice)
        assert "with without" not in told.out
        answered += 1
    assert answered > 10


@pytest.mark.parametrize("seed", range(3))
def test_what_is_written_is_the_new_configuration_and_the_instant(tmp_path: Path, seed: int) -> None:
    chance = random.Random(f"written {seed}")
    out = tmp_path / "a change"
    for _ in range(max(25, EXAMPLES // 5)):
        given = some(chance)
        name = chance.choice(("VRRP_ID_OFFSET", "VRRP_VERSION", "NETWORK_INTERFACE", "VIP_GROUPS"))
        after = {**given, name: chance.choice(VALUES[name])}
        old, new = written(tmp_path / "old.env", given), written(tmp_path / "new.env", after)
        told = outcome(MigrateCommand, "--against", old, "--env-file", new, "--at", "10m", "--output", out)
        if told.code or not parted(told.out):
            continue
        plans = [outcome(PlanCommand, "--env-file", path, "--format", "json").out
                 for path in (new, out / f"{given['CONFIG_NAME']}.env")]  # fmt: skip
        mine, its = ([one["instances"] for one in json.loads(text)["configurations"]] for text in plans)
        assert mine == its


BASE = {"CONFIG_NAME": "router", "NODES": "a,b", "NETWORK_INTERFACE": "eth0", "VRRP_ID_OFFSET": "5",
        "PREEMPTION": "preempt"}  # fmt: skip


def test_what_moves_by_the_change_is_told_beside_its_price(tmp_path: Path) -> None:
    old = written(tmp_path / "old.env", {**BASE, "VIRTUAL_IPS": "10.0.0.1-2", "PREFER": "10.0.0.1=a"})
    after = {**BASE, "VIRTUAL_IPS": "10.0.0.1-3", "PREFER": "10.0.0.1=b", "VRRP_VERSION": "3"}
    new = written(tmp_path / "new.env", after)
    told = outcome(MigrateCommand, "--against", old, "--env-file", new)
    assert "without an owner for no time, since each master stays master until the plan's is there,\n" in told.out
    assert "\nBy that 2 VIPs move to other nodes, 1 VIP is new.\n" in told.out


def test_pods_are_compared_with_the_ids_of_their_own_ledger(tmp_path: Path) -> None:
    words = ("router", "-i", "eth0", "--nodes", "a,b", "--vrrp-id-offset", 5)
    first, objects = tmp_path / "first.yaml", tmp_path / "objects.yaml"
    first.write_text(manifests(*words, "--virtual-ips", "10.0.0.1-4").out)
    objects.write_text(manifests(*words, "--virtual-ips", "10.0.0.3-4", "--ledger", first).out)
    new = written(tmp_path / "new.env", {**BASE, "VIRTUAL_IPS": "10.0.0.3-4"})
    told = outcome(MigrateCommand, "--against", objects, "--env-file", new)
    assert parted(told.out) == 2
    assert "The old pods have their ids from a ledger: give it by --ledger, and VIPs keep them." in told.out
    kept = outcome(MigrateCommand, "--against", objects, "--env-file", new, "--ledger", objects)
    assert kept.out.startswith("Nothing is to be migrated")
    # The objects by themselves are what their pods have, whoever reads them.
    plan = outcome(PlanCommand, objects, "--format", "json")
    assert [one["id"] for one in json.loads(plan.out)["configurations"][0]["instances"]] == [8, 9]
    assert '"id": 8' in manifests(objects).out
    objects.write_text(objects.read_text().replace('{"hachecks_ipfailover_ledger": 1,', "{"))
    why = outcome(PlanCommand, objects).why
    assert why.endswith("ledger.json: this is no ledger of hacheck ipfailover; name the right file")


def test_a_file_that_pods_have_not_yet_is_told(tmp_path: Path) -> None:
    old = written(tmp_path / "old.env", {**BASE, "VIRTUAL_IPS": "10.0.0.1-2"})
    new = written(tmp_path / "new.env", {**BASE, "VIRTUAL_IPS": "10.0.0.1-2", "AUTH_PASS_FILE": "/etc/vrrp/password"})
    line = "Every pod needs /etc/vrrp/password before the instant: roll out the Secret first"
    assert line in outcome(MigrateCommand, "--against", old, "--env-file", new).out
    assert line not in outcome(MigrateCommand, "--against", new, "--env-file", old).out


def test_a_directory_with_a_blank_is_told_as_a_shell_takes_it(tmp_path: Path) -> None:
    old = written(tmp_path / "old.env", {**BASE, "VIRTUAL_IPS": "10.0.0.1"})
    new = written(tmp_path / "new.env", {**BASE, "VIRTUAL_IPS": "10.0.0.1", "VRRP_VERSION": "3"})
    words = ("--write", "keepalived", "--at", "10m", "--output", tmp_path / "a change")
    told = outcome(MigrateCommand, "--against", old, "--env-file", new, *words)
    assert f"    scp -r '{tmp_path}/a change'/NODE NODE:/etc/keepalived/change\n" in told.out
