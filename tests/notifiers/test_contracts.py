"""Every notifier that speaks HTTP keeps its promises, whatever it is answered."""

from __future__ import annotations

import json
import time
import traceback
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hachecks.deadline import Deadline, TimedOut
from hachecks.messages.not_delivered import NotDelivered
from hachecks.registry import NOTIFIERS
from hachecks.services.acceptance import RETRYABLE
from tests.cli import hacheck
from tests.events import message
from tests.notifier_contracts import Contract, contracts, over_http
from tests.receivers import Always
from tests.servers import (
    BODILESS,
    ZOO,
    BlackHole,
    DrippingBody,
    EndlessBody,
    EndlessChunks,
    GzipBomb,
    RedirectLoop,
    Refusing,
    Route,
    Server,
    Silent,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark import ParameterSet

    from hachecks.settings import Setting

ALL = [pytest.param(contract, id=name) for name, contract in contracts().items()]
MEET_THE_ZOO = [pytest.param(contract, id=name) for name, contract in contracts().items() if contract.meets_the_zoo]
ANIMALS = [pytest.param(animal, id=animal.__name__) for animal in ZOO if not issubclass(animal, BlackHole)]
DEADLINE, GRACE = 0.3, 20.0
ENOUGH = 20.0
"""Seconds for what ends by itself."""
SAYS_200 = {DrippingBody, EndlessBody, EndlessChunks, GzipBomb}
"""What begins with 200, and is taken at its word where the body does not matter."""


@pytest.fixture(autouse=True)
def _state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HACHECK_STATE_DIR", str(tmp_path))


def outcome(contract: Contract, url: str, seconds: float = ENOUGH) -> tuple[bool, bool, float | None]:
    """Whether it was delivered, may be tried again, and when."""
    found: tuple[bool, bool, float | None] = (True, False, None)
    try:
        said = contract.notifier(url).send(message(), Deadline.after(seconds))
    except NotDelivered as failure:
        said, found = str(failure), (False, failure.retryable, failure.retry_after)
    assert said
    assert "\n" not in said
    return found


def expected(contract: Contract, status: int) -> tuple[bool, bool, float | None]:
    if 200 <= status < 300:
        bodiless = contract.needs_body and status in BODILESS
        return (not bodiless, bodiless, None)
    return (False, status in RETRYABLE or status >= 500, contract.pause if status == 429 else None)


@pytest.mark.parametrize("contract", ALL)
def test_each_status_is_delivered_final_or_tried_again(contract: Contract) -> None:
    wrong: dict[int, Any] = {}
    with Always(contract.good) as server:
        for status in range(200, 600):
            server.route = Route(contract.good.body, status, contract.good.headers)
            found = outcome(contract, server.url)
            if found != expected(contract, status):
                wrong[status] = found
    assert wrong == {}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("contract", ALL)
def test_a_redirect_is_not_followed(contract: Contract, status: int) -> None:
    with Always(contract.good) as elsewhere, Always(Route(b"", status, {"Location": elsewhere.url})) as server:
        with pytest.raises(NotDelivered, match=f"answered {status}: a redirect, which is not followed$"):
            contract.notifier(server.url).send(message(), Deadline.after(ENOUGH))
        assert elsewhere.requests == []


def forms_of_retry_after() -> Iterator[tuple[str, object]]:
    """Retry-After in all its forms, each with what it means, as of now."""

    def in_a_minute(form: str) -> tuple[str, object]:
        return time.strftime(form, time.gmtime(time.time() + 60)), pytest.approx(60, abs=30)

    yield "7", 7.0
    yield "0", None
    yield in_a_minute("%a, %d %b %Y %H:%M:%S GMT")
    yield in_a_minute("%A, %d-%b-%y %H:%M:%S GMT")
    yield in_a_minute("%a %b %d %H:%M:%S %Y")
    yield formatdate(time.time() - 3600, usegmt=True), None
    yield "99999999999999999999", 86400.0
    yield formatdate(time.time() + 10**7, usegmt=True), 86400.0
    for nonsense in (
        "soon",
        "-5",
        "1.5",
        "",
        "Mon, 99 Foo 2026 99:99:99 GMT",
        "Mon, 01 Jan 99999999 00:00:00 GMT",
        "\u00b2",
    ):
        yield nonsense, None


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("contract", ALL)
def test_retry_after_is_heeded_in_both_forms(contract: Contract, status: int) -> None:
    with Always(contract.good) as server:
        for text, seconds in forms_of_retry_after():
            server.route = Route(b"", status, {"Retry-After": text})
            _, again, after = outcome(contract, server.url)
            assert again
            fallback = contract.pause if status == 429 else None
            assert after == (fallback if seconds is None else seconds), text


@pytest.mark.parametrize("ahead", [-7200.0, 7200.0])
@pytest.mark.parametrize("contract", ALL)
def test_a_date_after_which_to_try_again_is_of_the_servers_clock(contract: Contract, ahead: float) -> None:
    now = time.time() + ahead
    dates = {"Date": formatdate(now, usegmt=True), "Retry-After": formatdate(now + 60, usegmt=True)}
    with Always(Route(b"", 503, dates)) as server:
        delivered, again, after = outcome(contract, server.url)
    assert (delivered, again) == (False, True)
    assert after == pytest.approx(60, abs=1)


@pytest.mark.parametrize("contract", ALL)
def test_retry_after_does_not_revive_what_is_final(contract: Contract) -> None:
    with Always(Route(b"", 403, {"Retry-After": "7"})) as server:
        assert outcome(contract, server.url) == (False, False, None)


@pytest.mark.parametrize("animal", ANIMALS)
@pytest.mark.parametrize("contract", MEET_THE_ZOO)
def test_ends_in_time_and_is_tried_again_whatever_it_meets(contract: Contract, animal: type[Server]) -> None:
    with animal() as server:
        started = time.monotonic()
        try:
            seconds = ENOUGH if animal is RedirectLoop else DEADLINE  # whose answer is final, when it has come
            found = outcome(contract, f"http://127.0.0.1:{server.port}", seconds)
        except TimedOut:
            found = (False, True, None)
        assert time.monotonic() - started < seconds + GRACE
    allowed = [(False, animal is not RedirectLoop, None)]
    if animal in SAYS_200 and not contract.needs_body:
        allowed.append((True, False, None))
    assert found in allowed


@pytest.mark.parametrize("contract", MEET_THE_ZOO)
def test_whatever_little_time_it_has_it_is_delivered_or_tried_again(contract: Contract) -> None:
    with Always(contract.good) as server:
        for number in range(60):
            try:
                found = outcome(contract, server.url, 1e-5 * 1.15**number)  # to 40 ms
            except TimedOut:
                continue
            assert found in ((True, False, None), (False, True, None))


@pytest.mark.parametrize("contract", ALL)
def test_nobody_there_is_tried_again(contract: Contract) -> None:
    with Refusing() as nobody:
        assert outcome(contract, f"http://127.0.0.1:{nobody.port}") == (False, True, None)
    with Silent() as silent, pytest.raises((TimedOut, NotDelivered)):
        contract.notifier(f"http://127.0.0.1:{silent.port}").send(message(), Deadline.after(DEADLINE))


def secret_settings() -> Iterator[ParameterSet]:
    """Every setting of a notifier that holds a secret."""
    for kind, entry in NOTIFIERS.items():
        for setting in entry.load().__settings__.values():
            if setting.secret:
                yield pytest.param(kind, setting, id=f"{kind} {setting.name}")


def all_that_is_said(contract: Contract, url: str) -> str:
    notifier = contract.notifier(url)
    try:
        said = notifier.send(message(), Deadline.after(ENOUGH))
    except NotDelivered as failure:
        told = traceback.format_exception(type(failure), failure, failure.__traceback__)
        said = "".join([str(failure), repr(failure), *told])
    return said + repr(notifier)


@pytest.mark.parametrize("status", [200, 202, 302, 400, 403, 410, 429, 500])
@pytest.mark.parametrize("contract", ALL)
def test_no_secret_is_shown_by_whatever_echoes_them(contract: Contract, status: int) -> None:
    with Always(Route(b"", status), echo=True) as server:
        said = all_that_is_said(contract, server.url)
    assert [secret for secret in contract.secrets if secret in said] == []
    assert "S3CRET" not in said


@pytest.mark.parametrize("contract", ALL)
def test_no_secret_is_shown_by_the_command_line(contract: Contract, tmp_path: Path) -> None:
    with Always(Route(b"", 400), echo=True) as server, Refusing() as nobody:
        for url in (server.url, f"http://127.0.0.1:{nobody.port}", f"https://127.0.0.1:{server.port}"):
            table = {"notifier": contract.kind, **contract.table(url)}
            config = tmp_path / "hacheck.toml"
            config.write_text("[notifier.it]\n" + "".join(f"{key} = {json.dumps(table[key])}\n" for key in table))
            done = hacheck("notify", "--test", HACHECK_CONFIG=str(config), HACHECK_STATE_DIR=str(tmp_path))
            assert done.code == 1
            assert done.line.startswith("it: not delivered: ")
            assert "S3CRET" not in done.out + done.err
            assert not [secret for secret in contract.secrets if secret in done.out + done.err]


@pytest.mark.parametrize(("kind", "setting"), list(secret_settings()))
def test_a_secret_has_a_file_and_is_none_of_the_help(kind: str, setting: Setting) -> None:
    flags = hacheck("notify", kind, "--help").out.split()
    assert f"{setting.flag}-file" in flags
    assert setting.flag not in flags


def test_every_notifier_that_speaks_http_is_under_contract() -> None:
    assert {contract.kind for contract in contracts().values()} == set(over_http())
    assert {"alertmanager", "prometheus", "slack", "webhook"} <= set(over_http())


def test_every_notifier_has_a_test_module() -> None:
    for kind in NOTIFIERS:
        assert (Path(__file__).parent / f"test_{kind}.py").exists(), kind
