"""Whatever manifests are asked for and whatever is written, it is read as it was meant, or refused in one line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hachecks.ipfailover.commands.manifests import ManifestsCommand
from hachecks.ipfailover.manifests.yaml_text import Noted, bare, document
from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.sources import env_file, env_text
from hachecks.ipfailover.values import CONFIG_NAME
from hachecks.settings import Invalid, build
from tests.cli import ROOT
from tests.ipfailover.given import EXAMPLES, any_environments, environments, many, settings
from tests.ipfailover.manifesting import VERSIONS, Said, container, loaded, sound, valid

FEW = hypothesis_settings(max_examples=max(20, EXAMPLES // 5), deadline=None)
STOCK = {"keep_stock": True, "executable": str(ROOT / "hachecks/executable/prelude.sh"), "image": "x:1"}


def noted(value: Any) -> Any:
    return value if isinstance(value, Noted) else Noted(value, "a word that says why " * 9)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3) | inner.map(noted),
    max_leaves=12,
)


@many
@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_is_written_as_yaml_is_read_as_it_was(fields: dict[str, Any]) -> None:
    assume(bare(fields))
    text = document(fields, "about it")
    assert loaded(text) == [bare(fields)]
    assert max(map(len, (line for line in text.splitlines() if line.lstrip().startswith("# a word"))), default=0) < 121


WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]) | st.sampled_from("\n'\"# ="), max_size=20)


@many
@given(WORDS)
def test_what_is_written_as_an_env_file_is_read_as_it_was(text: str) -> None:
    name = "OPENSHIFT_HA_VERBATIM"
    try:
        written_text = env_text({name: text, "OPENSHIFT_HA_CONFIG_NAME": "router"})
    except ValueError:
        assert "'" in text
        assert '"' in text
        return
    given_again = env_file(written_text, "x").given
    assert given_again[name].text == text.strip()
    assert given_again["OPENSHIFT_HA_CONFIG_NAME"].text == "router"


def written_of(environ: dict[str, str], asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects that come of variables, none where these are refused, in one line."""
    said, refusals = Said(), []
    try:
        assert build(ManifestsCommand, "ipfailover manifests", asked, {}, {}).run(environ, said)
    except Invalid as refusal:
        refusals.append(str(refusal))
    assert [one for one in refusals if "\n" in one] == []
    return [] if refusals else loaded("\n".join(said.out) + "\n")


@pytest.mark.parametrize("asked", [{}, STOCK], ids=["ours", "stock"])
@FEW
@given(environ=environments | any_environments)
def test_whatever_variables_are_given_they_are_planned_the_same(asked: dict[str, Any], environ: dict[str, str]) -> None:
    environ = {"OPENSHIFT_HA_NETWORK_INTERFACE": "eth0", **environ}
    found = {one["kind"]: one for one in written_of(environ, asked)}
    if not found:
        return
    valid(list(found.values()), VERSIONS[-1:])
    before, after = (plan_all([settings(one)], {}, None)[0][0] for one in (environ, variables_in(found, bool(asked))))
    assert [(one.id, one.vips) for one in before.instances] == [(one.id, one.vips) for one in after.instances]
    # OpenShift's image knows nothing of nodes.
    assert asked or before == after


def variables_in(found: dict[str, dict[str, Any]], stock: bool) -> dict[str, str]:
    """What the pods have."""
    if stock:
        return {one["name"]: one["value"] for one in container(found["DaemonSet"])["env"]}
    given_again = env_file(found["ConfigMap"]["data"]["ipfailover.env"], "x").given
    return {name: one.text for name, one in given_again.items()}


@FEW
@given(st.from_regex(CONFIG_NAME, fullmatch=True))
def test_whatever_it_is_called_its_objects_have_names_and_labels_that_kubernetes_takes(name: str) -> None:
    environ = {"OPENSHIFT_HA_CONFIG_NAME": name, "OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1"}
    found = written_of({**environ, "OPENSHIFT_HA_NETWORK_INTERFACE": "eth0"}, {"namespace": "ha", "openshift": True})
    assert found or len(name) > 52
    if found:
        sound(found)
