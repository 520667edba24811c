"""Apprise's services are told, each once, and its absence is explained."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from hachecks.deadline import Deadline, TimedOut
from hachecks.messages.not_delivered import NotDelivered
from hachecks.notifiers.apprise import AppriseNotifier
from tests.cli import ROOT
from tests.events import event, message
from tests.servers import Http, Route, Silent

if TYPE_CHECKING:
    from pathlib import Path

    from hachecks.messages.message import Message

pytestmark = pytest.mark.filterwarnings("default")  # what the libraries of others say of themselves

BASES = ("--urls-file /f", "")


def notifier(tmp_path: Path, *urls: str) -> AppriseNotifier:
    path = tmp_path / "urls"
    path.write_text("# ours\n\n" + "\n".join(urls) + "\n")
    return AppriseNotifier(urls_file=str(path))


def send(one: AppriseNotifier, told: Message, seconds: float = 30) -> str:
    return one.send(told, Deadline.after(seconds))


def failure(one: AppriseNotifier, told: Message) -> NotDelivered:
    with pytest.raises(NotDelivered) as raised:
        send(one, told)
    return raised.value


def test_a_service_is_told(tmp_path: Path) -> None:
    with Http({"/hook": Route(b"ok")}) as server:
        assert send(notifier(tmp_path, f"json://{server.address}/hook"), message()) == "told 1 service"
    (asked,) = server.requests
    assert b"critical: VI_1 is FAULT on node-1" in asked.body
    assert b'"failure"' in asked.body


def test_what_was_not_told_is_told_again_and_nothing_else(tmp_path: Path) -> None:
    routes = {"/good": Route(b"ok"), "/bad": Route(b"no", 500)}
    with Http(routes) as server:
        one = notifier(tmp_path, f"json://{server.address}/good", f"json://{server.address}/bad?token=s3cret")
        first = failure(one, message())
        assert first.retryable
        assert str(first) == "JSON (URL 2) was not told (1 of 2 done)"
        routes["/bad"] = Route(b"ok")
        assert send(one, message()) == "told 2 services"
        send(one, message(event(number=2)))
    paths = [asked.target.partition("?")[0] for asked in server.requests]
    assert paths == ["/good", "/bad", "/bad", "/good", "/bad"]


def test_a_url_that_is_none_is_final_and_not_shown(tmp_path: Path) -> None:
    final = failure(notifier(tmp_path, "nonsense://s3cret"), message())
    assert not final.retryable
    assert str(final) == f"{tmp_path / 'urls'}: URL 1 is of no service that Apprise knows"


def test_no_service_holds_it_beyond_the_deadline(tmp_path: Path) -> None:
    began = time.monotonic()
    with Silent("127.0.0.1") as server:
        one = notifier(tmp_path, f"json://127.0.0.1:{server.port}/")
        with pytest.raises(TimedOut):
            send(one, message(), seconds=0.5)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("text", [None, "# nothing\n"])
def test_a_file_without_urls_is_tried_again(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "urls"
    if text is not None:
        path.write_text(text)
    assert failure(AppriseNotifier(urls_file=str(path)), message()).retryable


def test_its_absence_is_explained(tmp_path: Path) -> None:
    (tmp_path / "urls").write_text("json://127.0.0.1:1/\n")
    hiding = "import sys; sys.modules['apprise'] = None; from hachecks.cli import main; main()"
    words = ["notify", "--test", "apprise", "--urls-file", str(tmp_path / "urls")]
    done = subprocess.run([sys.executable, "-c", hiding, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.endswith("not delivered: apprise is not there: pip install 'hachecks[apprise]'\n")
