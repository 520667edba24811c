"""`hacheck status` says how things are in a terminal, and nothing that is not known looks well there."""

from __future__ import annotations

import json
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from hachecks.exporter import consistency, page
from hachecks.exporter.document import document
from hachecks.exporter.view import Instance, SourceStatus, View, Vip
from hachecks.status import headline, table
from tests.cli import hacheck

if TYPE_CHECKING:
    from collections.abc import Iterator

AT = 1_790_000_000.0
READ = (SourceStatus("configuration", True, "", AT, 0),)
LOST = (SourceStatus("configuration", False, "it is not there", AT, 1),)


def instance(name: str, state: str, why: str = "") -> Instance:
    since = None if state == "UNKNOWN" else AT - 12
    return Instance(name, "eth0", 51, "ipv4", 100, state, since, 100, why, {}, 0.0, ())


def vip(name: str, *, present: bool | None, expected: bool | None, trouble: str = "") -> Vip:
    return Vip("10.0.0.1", name, "eth0", 32, False, ("eth0",) if present else (), present, expected, trouble)


def seen(runs: bool | None, *instances: Instance, vips: tuple[Vip, ...] = (), read: bool = True) -> dict[str, Any]:
    return document(View("node-a", "1", AT, runs, vips, instances, sources=READ if read else LOST))


HERE = (vip("VI_1", present=True, expected=True),)
AWAY = (vip("VI_1", present=False, expected=False),)
LEFT = (vip("VI_1", present=True, expected=False, trouble="Keepalived does not run, but 10.0.0.1 is still on eth0"),)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        pytest.param(seen(True, instance("VI_1", "MASTER"), vips=HERE), "The VIP is where Keepalived says", id="well"),
        pytest.param(
            seen(None, instance("VI_1", "MASTER"), vips=HERE),
            "Not known: whether Keepalived runs",
            id="hidden",
        ),
        pytest.param(
            seen(False, instance("VI_1", "UNKNOWN"), vips=LEFT),
            "Keepalived does not run, and 1 of 1 VIP is still here",
            id="killed",
        ),
        pytest.param(
            seen(False, instance("VI_1", "STOP"), vips=AWAY),
            "Keepalived does not run, and the VIP is not here",
            id="stopped",
        ),
        pytest.param(
            seen(True, instance("VI_1", "BACKUP"), vips=LEFT), "1 of 1 VIP is not where Keepalived says", id="wrong"
        ),
        pytest.param(
            seen(True, instance("VI_1", "UNKNOWN"), vips=(vip("VI_1", present=False, expected=None),)),
            "Not known: whether the VIP is where Keepalived says",
            id="unknown",
        ),
        pytest.param(
            seen(True, instance("VI_1", "MASTER"), instance("VI_2", "UNKNOWN"), vips=HERE),
            "Not known: the state of 1 of 2 instances",
            id="silent",
        ),
        pytest.param(seen(True, instance("VI_1", "MASTER")), "1 instance without VIPs", id="without-vips"),
        pytest.param(
            seen(True, instance("VI_1", "MASTER"), read=False),
            "Not known: which VIPs this node has (1 source down)",
            id="no-configuration",
        ),
        pytest.param(
            seen(True, instance("VI_1", "MASTER"), vips=HERE, read=False),
            "The VIP is where Keepalived says (1 source down)",
            id="configuration-lost",
        ),
    ],
)
def test_the_first_line_says_how_things_are(found: dict[str, Any], sentence: str) -> None:
    assert headline(found) == sentence
    assert (sentence.endswith("where Keepalived says") and "ot" not in sentence) <= found["agrees"]


def test_an_instance_without_vips_has_a_line() -> None:
    lines = list(table(seen(True, instance("VI_1", "MASTER"), instance("VI_2", "FAULT", "web: no"), vips=HERE)))
    assert "10.0.0.1  VI_1      eth0  MASTER           12 s" in lines
    assert "-         VI_2      -     FAULT            12 s  web: no" in lines


def test_findings_are_lines_of_their_own() -> None:
    view = View("node-a", "1", AT, True, HERE, (instance("VI_1", "MASTER"),), sources=READ)
    told = list(table(document(replace(view, findings=("line 7: VI_9 is left out",)))))
    assert "? line 7: VI_9 is left out" in told


def test_names_cannot_act_on_the_terminal() -> None:
    odd = "VI_\x1b[2J\u202e1\udcff\n"
    view = View(odd, "1", AT, True, (replace(HERE[0], instance=odd),), (instance(odd, "MASTER"),), sources=READ)
    text = "\n".join(table(document(replace(view, hints=(odd,)))))
    assert r"VI_\x1b[2J\u202e1\xff\n" in text
    assert all(line.isprintable() for line in text.splitlines())


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (seen(True, instance("VI_1", "MASTER"), vips=HERE), "All is where Keepalived says"),
        (seen(True, instance("VI_1", "BACKUP"), vips=LEFT), "1 of 1 VIPs is not where Keepalived says"),
        (seen(None, instance("VI_1", "MASTER"), vips=HERE), "Not known: whether all is where Keepalived says"),
    ],
)
def test_a_document_of_an_older_exporter_is_understood(found: dict[str, Any], sentence: str) -> None:
    older = {name: value for name, value in found.items() if name not in ("headline", "but", "findings")}
    assert next(table(older)) == f"node-a: {sentence}"


def test_the_table_the_page_and_the_document_have_one_headline() -> None:
    view = View("node-a", "1", AT, False, LEFT, (instance("VI_1", "UNKNOWN"),), sources=LOST)
    top = consistency.headline(view)
    found = document(view)
    assert (found["headline"], found["but"]) == (top.sentence, ["1 source down"])
    assert next(table(found)) == f"node-a: {top.sentence} (1 source down)"
    assert f"<h1>{top.sentence}</h1>" in page.render(view)


def test_the_worst_stand_first_in_the_document_and_the_table() -> None:
    named = {"VI_1": "BACKUP", "VI_2": "MASTER", "VI_3": "FAULT", "VI_4": "BACKUP"}
    vips = [replace(AWAY[0], instance=name, state=state) for name, state in named.items()]
    vips[3] = replace(vips[3], present=True, trouble="Keepalived says BACKUP, but 10.0.0.1 is on eth0")
    found = seen(True, *(instance(name, state) for name, state in named.items()), vips=tuple(vips))
    assert [one["vrrp_instance"] for one in found["vips"]] == ["VI_4", "VI_3", "VI_2", "VI_1"]
    assert [line.split()[1] for line in table(found) if line.startswith("10.0.0.1")] == ["VI_4", "VI_3", "VI_2", "VI_1"]


@pytest.fixture
def answering() -> Iterator[Any]:
    """A server that answers with whatever is put into its list."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(bodies[0])))
            self.end_headers()
            self.wfile.write(bodies[0])

        def log_message(self, format: str, *args: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield bodies, f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    "body",
    [
        b"no JSON", b"[]", b"{}", b'{"vips": []}', b'{"vips": 1}', b'{"vips": null}',
        json.dumps({**seen(True), "vips": [1]}).encode(),
        json.dumps({**seen(True), "disagreements": None}).encode(),
        json.dumps({**seen(True, instance("VI_1", "MASTER")), "at": "now"}).encode(),
        json.dumps({**seen(True), "checks": [{"check": "a"}]}).encode(),
    ],
    ids=lambda body: body[:40].decode(),
)  # fmt: skip
def test_what_is_no_status_is_told_in_one_line(answering: Any, body: bytes) -> None:
    bodies, url = answering
    bodies.append(body)
    done = hacheck("status", "--url", url)
    assert (done.code, done.err) == (1, "")
    assert done.line.startswith("UNKNOWN - ")
    assert "no status of an exporter" in done.line
