"""The status page says how things are, to everybody, and goes on saying it without being loaded again."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from hachecks.exporter import page
from hachecks.exporter.consistency import headline
from hachecks.exporter.view import Check, Instance, Notifier, SourceStatus, View, Vip
from hachecks.group.answer import Answer, Held
from hachecks.group.judgement import Member, judged
from tests.browser import (
    PLACES_OF_READERS,
    axe_violations,
    browser,
    colours,
    console_errors,
    missing,
    requests,
    resize,
    screenshot,
    without_scripts,
)
from tests.monitors import until
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver.chrome.webdriver import WebDriver

HOSTILE = '<script>alert(1)</script><b title="&quot;">&amp;'
AT = time.time()


def instance(number: int, state: str, *changes: tuple[float, str], why: str = "") -> Instance:
    told = tuple((AT - hours * 3600, changed) for hours, changed in changes) or ((AT - 90000.0 - number * 777, state),)
    since = told[-1][0]
    name = f"ipfailover_VIP_{number}"
    return Instance(name, "eth0", number, "inet", 240, state, since, 240, why, {}, 0.0, told)


def vip(number: int, state: str, *, present: bool | None = None, trouble: str = "", excluded: bool = False) -> Vip:
    there = state == "MASTER" if present is None else present
    address = f"192.168.{10 + number // 200}.{number % 200 + 1}"
    expected = state == "MASTER"
    on = ("eth0",) if there else ()
    return Vip(address, f"ipfailover_VIP_{number}", "eth0", 32, excluded, on, there, expected, trouble)


def five() -> View:
    """A node on which one VIP is in two places."""
    trouble = "192.168.10.4 is on eth0 though Keepalived says that ipfailover_VIP_3 is BACKUP: two nodes may have it."
    flaps = tuple((20 - n * 0.31, "MASTER" if n % 2 else "BACKUP") for n in range(40))
    return View(
        node="node-a.example.net",
        version="0.1.0",
        at=AT,
        keepalived_runs=True,
        vips=(
            vip(3, "BACKUP", present=True, trouble=trouble),
            vip(0, "MASTER"),
            vip(1, "MASTER", excluded=True),
            vip(2, "BACKUP"),
            vip(4, "FAULT"),
        ),
        instances=(
            instance(0, "MASTER", (30, "BACKUP"), (19, "MASTER"), (9.5, "BACKUP"), (9.2, "MASTER")),
            instance(1, "MASTER", (14, "BACKUP"), (13.9, "MASTER")),
            instance(2, "BACKUP", (30, "BACKUP"), *flaps, (6, "BACKUP")),
            instance(3, "BACKUP", (30, "MASTER"), (8, "STOP"), (7, "BACKUP")),
            instance(
                4, "FAULT", (30, "MASTER"), (11, "FAULT"), (9, "MASTER"), (0.07, "FAULT"), why="503 from /healthz"
            ),
        ),
        checks=(
            Check(
                "router", "http", "http://127.0.0.1:1936/healthz", "FAIL", "503 from /healthz", AT - 1, 0.0042, 1.5, 2
            ),
            Check("database", "sql", "postgresql://127.0.0.1/app", "PASS", "is a primary", AT - 3, 0.0181, 1.5, 5),
            Check("api", "tcp", "127.0.0.1:6443", "", "", None, None, None, None),
        ),
        notifiers=(Notifier("ops-slack", 3, "no answer within 10 s", AT - 4000), Notifier("log", 0, "", AT - 252)),
        sources=(
            SourceStatus("addresses", True, "", AT, 0),
            SourceStatus("journal", False, "/run/hacheck cannot be read: Permission denied; run it as root", None, 7),
        ),
        hints=("Give --config=/etc/keepalived/keepalived.conf, and VIPs that no instance has are found too.",),
    )


def healthy() -> View:
    """The same node when all is well."""
    kept = tuple(one for one in five().vips if one.expected == one.present and one.instance != "ipfailover_VIP_4")
    instances = tuple(one for one in five().instances if one.name in {vip.instance for vip in kept})
    return View("node-a.example.net", "0.1.0", AT, True, vips=kept, instances=instances)


def many() -> View:
    """A node with 255 VIPs, of which every tenth has been restless."""
    states = ["MASTER" if number % 3 else "BACKUP" for number in range(255)]
    states[17] = states[201] = "FAULT"
    restless = tuple((23 - n * 0.23, "MASTER" if n % 2 else "BACKUP") for n in range(60))
    instances = (
        instance(number, state, *((30, "BACKUP"), *restless, (0.5, state)) if number % 10 == 7 else ())
        for number, state in enumerate(states)
    )
    vips = tuple(vip(number, state) for number, state in enumerate(states))
    return replace(five(), vips=vips, instances=tuple(instances), hints=())


class Site:
    """A server of one page, as the exporter serves it; what it shows can be changed."""

    def __init__(self, view: View, port: int = 0) -> None:
        self.view = view
        self.answers: list[int] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                etag = f'"{hashlib.sha256(repr(site.view).encode()).hexdigest()}"'
                same = self.headers["If-None-Match"] == etag
                body = b"" if same or self.path != "/" else page.render(site.view).encode()
                status = 304 if same else 200 if self.path == "/" else 404
                site.answers.append(status)
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", page.CONTENT_SECURITY_POLICY)
                self.send_header("ETag", etag)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@contextmanager
def served(view: View, port: int = 0) -> Iterator[Site]:
    site = Site(view, port)
    try:
        yield site
    finally:
        site.close()


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[WebDriver]:
    lack = missing()
    if lack and "CI" in os.environ:
        pytest.fail(lack)
    if lack:
        pytest.skip(lack)
    with browser(tmp_path) as driver:
        yield driver


def text(driver: WebDriver, selector: str) -> str:
    return str(driver.execute_script("return document.querySelector(arguments[0]).textContent", selector))


def shown_rows(driver: WebDriver) -> list[str]:
    script = (
        "return [...document.querySelectorAll('#vips tbody tr:not([hidden]) th b')].map((cell) => cell.textContent)"
    )
    return list(driver.execute_script(script))


def polled(site: Site, status: int = 304) -> None:
    """Wait until the page has asked again, twice, so that what the first answer did is done."""
    before = site.answers.count(status)
    until(lambda: site.answers.count(status) > before + 1)


@pytest.mark.parametrize(("name", "view"), [("5", five()), ("255", many())])
def test_the_page_is_accessible_and_quiet_everywhere(driver: WebDriver, name: str, view: View) -> None:
    with served(view) as site:
        for width, dark in PLACES_OF_READERS:
            resize(driver, width)
            colours(driver, dark=dark)
            driver.get(site.url)
            screenshot(driver, f"page-{name}-{width}-{'dark' if dark else 'light'}")
            assert axe_violations(driver) == []
            wide = driver.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width
        polled(site)
    assert console_errors(driver) == []
    assert set(requests(driver)) == {site.url}


def grouped(view: View) -> View:
    """The node among two others, of which one has a VIP that this one has too, and the other does not answer."""
    held = {one.address: Held(one.instance, "MASTER", bool(one.present)) for one in view.vips}
    own = Answer(view.node, "0.1.0", "1", True, "All 5 VIPs are where Keepalived says", held, {}, {})
    both = {address: one._replace(present=number == 1) for number, (address, one) in enumerate(held.items())}
    other = own._replace(node="node-b", version="0.2.0", identity="2", agrees=False, vips=both, drain="by hand")
    members = (
        Member("", view.node, own, answered=AT),
        Member("10.0.0.2:10112", "node-b", other, answered=AT - 1),
        Member("10.0.0.3:10112", "node-c", None, HOSTILE, AT - 60, AT - 61),
    )
    return replace(view, group=judged(members, judged(members)))


def test_the_group_stands_above_the_node_and_is_as_accessible(driver: WebDriver) -> None:
    with served(grouped(five())) as site:
        for width, dark in PLACES_OF_READERS:
            resize(driver, width)
            colours(driver, dark=dark)
            driver.get(site.url)
            screenshot(driver, f"group-{width}-{'dark' if dark else 'light'}")
            assert axe_violations(driver) == []
            assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        assert text(driver, "h1") == "1 of 5 VIPs is served twice; of 2 it is not known"
        assert text(driver, "#group .but") == (
            "1 of 3 nodes is silent, node-b is in trouble, node-b is drained, 1 difference between nodes"
        )
        assert text(driver, "#own h2") == "1 of 5 VIPs is not where Keepalived says"
        assert text(driver, "#group-wrong li") == "192.168.10.1 is served twice: by node-a.example.net and node-b"
        rows = driver.find_elements(By.CSS_SELECTOR, "#group-nodes tbody tr")
        assert [row.get_attribute("class") for row in rows] == ["", "fault", "unknown"]
        assert HOSTILE in rows[2].text
        assert "drained by hand" in rows[1].text
        assert driver.title == "✗ 1 · node-a.example.net"
        site.view = five()
        until(lambda: text(driver, "h1") == "1 of 5 VIPs is not where Keepalived says")
        assert driver.find_elements(By.ID, "group-nodes") == []
        site.view = grouped(five())
        until(lambda: bool(driver.find_elements(By.ID, "group-nodes")))
    assert [line for line in console_errors(driver) if "ERR_" not in line] == []


def test_a_page_of_a_group_of_255_vips_is_small_and_soon_made() -> None:
    view = grouped(many())
    assert len(page.render(view).encode()) < 550_000
    began = time.process_time()
    for _ in range(10):
        page.render(view)
    assert (time.process_time() - began) / 10 < 0.08, "22 ms on a quiet machine"


def test_on_a_phone_the_cards_are_still_a_table_to_those_who_hear_it(driver: WebDriver) -> None:
    resize(driver, 360)
    with served(five()) as site:
        driver.get(site.url)
        roles = [
            node["role"]["value"]
            for node in driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
            if "role" in node
        ]
    assert roles.count("table") == 4
    assert roles.count("rowheader") == 12


def test_a_change_is_seen_without_loading_the_page_again(driver: WebDriver) -> None:
    resize(driver, 1280, 500)
    with served(many()) as site:
        driver.get(site.url)
        driver.execute_script("window.kept = document.querySelector('#filter input')")
        field = driver.find_element(By.NAME, "text")
        field.send_keys("192.168.10. master")
        until(lambda: "#filter=" in driver.current_url)
        few = shown_rows(driver)
        assert 0 < len(few) < 255
        driver.execute_script("scrollTo(0, 700)")
        states = "return [document.activeElement === window.kept, window.kept.isConnected, scrollY]"
        polled(site)
        assert driver.execute_script(states) == [True, True, 700]
        wrong = vip(0, "BACKUP", present=True, trouble="192.168.10.1 is in two places.")
        site.view = replace(site.view, vips=(wrong, *site.view.vips[1:]))
        until(lambda: driver.title.startswith("✗ 1 ·"))
        assert text(driver, "h1") == "1 of 255 VIPs is not where Keepalived says"
        assert text(driver, "#news") == text(driver, "h1")
        assert text(driver, "#wrong li") == "192.168.10.1 is in two places."
        assert driver.execute_script(states)[:2] == [True, True]
        assert shown_rows(driver) == few
        assert field.get_attribute("value") == "192.168.10. master"
        driver.refresh()
        assert shown_rows(driver) == few
    assert site.answers.count(304) >= 2
    assert [line for line in console_errors(driver) if "ERR_" not in line] == []


def test_what_is_open_stays_open(driver: WebDriver) -> None:
    wrong = tuple(vip(n, "BACKUP", present=True, trouble=f"VIP {n} is in two places.") for n in range(20))
    with served(replace(five(), vips=wrong)) as site:
        driver.get(site.url)
        driver.find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
        site.view = replace(site.view, vips=wrong[1:])
        until(lambda: driver.title.startswith("✗ 19"))
        assert text(driver, "summary") == "and 11 more"
        assert driver.find_element(By.TAG_NAME, "details").get_attribute("open")
        active = "return document.activeElement.localName"
        assert driver.execute_script(active) == "summary"


def test_only_what_needs_attention(driver: WebDriver) -> None:
    with served(five()) as site:
        driver.get(site.url)
        assert text(driver, "#shown") == "Showing 5 of 5"
        assert shown_rows(driver)[:2] == ["192.168.10.4", "192.168.10.5"]
        driver.find_element(By.NAME, "attention").click()
        assert shown_rows(driver) == ["192.168.10.4", "192.168.10.5"]
        assert text(driver, "#shown") == "Showing 2 of 5"
        until(lambda: driver.current_url.endswith("#attention=1"))
        driver.find_element(By.NAME, "text").send_keys("fault" + Keys.ENTER)
        assert shown_rows(driver) == ["192.168.10.5"]
    assert driver.current_url.startswith(site.url)


def test_without_scripts_it_says_the_same_and_loads_itself_anew(driver: WebDriver) -> None:
    without_scripts(driver)
    with served(five()) as site:
        driver.get(site.url)
        assert driver.find_element(By.TAG_NAME, "h1").text == "1 of 5 VIPs is not where Keepalived says"
        assert not driver.find_element(By.ID, "filter").is_displayed()
        assert "h ago" in driver.find_element(By.ID, "vips").text
        screenshot(driver, "page-without-scripts")
        until(lambda: len(site.answers) > 1)
    assert console_errors(driver) == []


def test_an_exporter_that_is_gone_is_missed_and_welcomed_back(driver: WebDriver) -> None:
    with served(five(), free_port()) as site:
        driver.get(site.url)
        driver.execute_script("window.kept = 1")
        banner = driver.find_element(By.ID, "stale")
        polled(site)
        assert not banner.is_displayed()
    until(banner.is_displayed)
    assert re.fullmatch(r"No answer from the exporter since \d\d:\d\d:\d\d UTC; what is shown is old\.", banner.text)
    assert driver.title == "(old) ✗ 1 · node-a.example.net"
    screenshot(driver, "page-no-answer")
    assert axe_violations(driver) == []
    with served(healthy(), site.port):
        until(lambda: not banner.is_displayed())
        assert driver.title == "✓ 3 · node-a.example.net"
        assert driver.execute_script("return window.kept") == 1
        screenshot(driver, "page-healthy")
    assert [line for line in console_errors(driver) if "ERR_" not in line] == []


def test_the_keyboard_reaches_everything(driver: WebDriver) -> None:
    wrong = tuple(vip(n, "BACKUP", present=True, trouble=f"VIP {n} is in two places.") for n in range(20))
    with served(replace(five(), vips=wrong)) as site:
        driver.get(site.url)
        reached = []
        for _ in range(5):
            driver.switch_to.active_element.send_keys(Keys.TAB)
            here = driver.switch_to.active_element
            reached.append(here.get_attribute("name") or here.text or here.tag_name)
            outline = here.value_of_css_property("outline-style")
            assert outline == "solid"
    assert reached == ["and 12 more", "text", "attention", "Metrics", "Status as JSON"]


def test_names_with_markup_are_shown_as_text(driver: WebDriver) -> None:
    odd = replace(vip(0, "MASTER"), address=HOSTILE, instance=HOSTILE, present_on=(HOSTILE,), trouble=HOSTILE)
    view = View(
        node=HOSTILE,
        version=HOSTILE,
        at=AT,
        keepalived_runs=None,
        vips=(odd,),
        instances=(replace(instance(0, "FAULT", why=HOSTILE), name=HOSTILE),),
        checks=(Check(HOSTILE, HOSTILE, HOSTILE, "FAIL", HOSTILE, AT, 1.0, 1.0, 1.0),),
        notifiers=(Notifier(HOSTILE, 1, HOSTILE, None),),
        sources=(SourceStatus(HOSTILE, False, HOSTILE, None, 1),),
        hints=(HOSTILE,),
    )
    assert HOSTILE not in page.render(view)
    with served(view) as site:
        driver.get(site.url)
        assert text(driver, ".node") == HOSTILE
        assert text(driver, "#vips tbody b") == HOSTILE
        assert text(driver, "#vips td") == HOSTILE
        assert driver.title == f"✗ 1 · {HOSTILE}"
        polled(site)
        assert len(driver.find_elements(By.CSS_SELECTOR, "script")) == 1
    assert console_errors(driver) == []


def unseen(*vips: Vip, runs: bool | None = True) -> View:
    return View("n", "1", AT, runs, vips=vips)


def without_vips(*states: str, configured: bool = True, runs: bool | None = True) -> View:
    """A node whose instances have no VIPs."""
    instances = tuple(instance(number, state) for number, state in enumerate(states))
    sources = (SourceStatus("configuration", configured, "" if configured else "it is not there", None, 0),)
    return View("n", "1", AT, runs, instances=instances, sources=sources)


UNKNOWN = replace(vip(1, "MASTER"), present=None)


@pytest.mark.parametrize(
    ("view", "tone", "sentence"),
    [
        pytest.param(healthy(), "good", "All 3 VIPs are where Keepalived says", id="well"),
        pytest.param(unseen(vip(0, "MASTER")), "good", "The VIP is where Keepalived says", id="one"),
        pytest.param(
            unseen(vip(0, "STOP"), runs=False),
            "warn",
            "Keepalived does not run, and the VIP is not here",
            id="not-running",
        ),
        pytest.param(unseen(vip(0, "MASTER"), runs=None), "unknown", "Not known: whether Keepalived runs", id="hidden"),
        pytest.param(without_vips("MASTER", "BACKUP"), "good", "2 instances without VIPs", id="without-vips"),
        pytest.param(without_vips("FAULT"), "warn", "1 instance without VIPs", id="without-vips-in-fault"),
        pytest.param(
            without_vips("UNKNOWN", "BACKUP"), "unknown", "Not known: the state of 1 of 2 instances", id="silent"
        ),
        pytest.param(
            without_vips("MASTER", configured=False),
            "unknown",
            "Not known: which VIPs this node has",
            id="no-configuration",
        ),
        pytest.param(
            replace(healthy(), findings=("VI_9 is none.",)),
            "warn",
            "All 3 VIPs are where Keepalived says",
            id="finding",
        ),
        pytest.param(many(), "warn", "All 255 VIPs are where Keepalived says", id="fault"),
        pytest.param(five(), "bad", "1 of 5 VIPs is not where Keepalived says", id="wrong"),
        pytest.param(
            unseen(vip(0, "BACKUP", present=True), vip(2, "MASTER", present=False), UNKNOWN),
            "bad",
            "2 of 3 VIPs are not where Keepalived says; of 1 it is not known",
            id="wrong-and-unknown",
        ),
        pytest.param(
            unseen(vip(0, "MASTER"), UNKNOWN),
            "unknown",
            "Not known: whether 1 of 2 VIPs is where Keepalived says",
            id="unknown",
        ),
        pytest.param(
            unseen(UNKNOWN, UNKNOWN),
            "unknown",
            "Not known: whether the VIPs are where Keepalived says",
            id="all-unknown",
        ),
        pytest.param(
            unseen(UNKNOWN), "unknown", "Not known: whether the VIP is where Keepalived says", id="the-one-unknown"
        ),
        pytest.param(unseen(), "unknown", "Not known: which VIPs this node has", id="none"),
    ],
)
def test_the_headline_says_whether_the_vips_are_where_keepalived_says(view: View, tone: str, sentence: str) -> None:
    top = headline(view)
    assert (top.tone, top.sentence) == (tone, sentence)
    assert f"<h1>{sentence}</h1>" in page.render(view)


def test_an_instance_of_which_no_vip_is_known_is_shown() -> None:
    text = page.render(View("n", "1", AT, True, instances=(instance(7, "MASTER"),)))
    assert "no VIP known" in text
    assert "ipfailover_VIP_7" in text


def test_vips_are_in_the_order_of_people_and_the_worst_first() -> None:
    addresses = ("10.0.0.10", "10.0.0.9", "fd00::2", "10.0.0.2")
    vips = tuple(replace(vip(0, "MASTER"), address=address) for address in addresses)
    broken = replace(vip(0, "MASTER"), address="10.0.0.99", present=False, trouble="It is nowhere.")
    text = page.render(View("n", "1", AT, True, vips=(*vips, broken), instances=(instance(0, "MASTER"),)))
    found = re.findall(r'<th scope="row"><b>([^<]+)', text)
    assert found == ["10.0.0.99", "10.0.0.2", "10.0.0.9", "10.0.0.10", "fd00::2"]


def test_a_page_of_255_vips_is_small_and_soon_made() -> None:
    view = many()
    assert len(page.render(view).encode()) < 400_000
    began = time.process_time()
    for _ in range(10):
        page.render(view)
    assert (time.process_time() - began) / 10 < 0.05, "15 ms on a quiet machine"


def test_only_what_is_ours_is_put_into_the_page_as_it_is() -> None:
    template = (page.HERE / "page.html").read_text()
    assert re.findall(r"(\w+(?:\.\w+)?) \| safe", template) == [
        "style", "definitions", "axis", "one.strip", "script",
    ]  # fmt: skip
    assert "autoescape" not in template


def test_a_name_cannot_hide_or_turn_what_follows() -> None:
    odd = "VI_\u202e\x1b\udcff\n1"
    view = replace(healthy(), node=odd, hints=(odd,), findings=(odd,))
    view = replace(view, notifiers=(Notifier(odd, 1, odd, None),), sources=(SourceStatus(odd, False, odd, None, 1),))
    text = page.render(view)
    assert text.count(r"VI_\u202e\x1b\xff\n1") == 10
    assert not set("\u202e\x1b\udcff") & set(text)


def agreeing() -> View:
    """A node of which all is known, and all agrees."""
    return replace(healthy(), sources=(SourceStatus("configuration", True, "", AT, 0),))


def test_all_agrees_only_while_all_is_known() -> None:
    view = agreeing()
    assert view.agrees
    for worse in (
        replace(view, keepalived_runs=None),
        replace(view, keepalived_runs=False),
        replace(view, sources=(SourceStatus("configuration", False, "it is not there", None, 1),)),
        replace(view, instances=(*view.instances, instance(9, "UNKNOWN"))),
        replace(view, instances=(), vips=()),
        replace(view, vips=(*view.vips, UNKNOWN)),
        replace(view, vips=(*view.vips, replace(UNKNOWN, present=True, expected=None))),
        replace(view, vips=(*view.vips, vip(1, "BACKUP", present=True))),
    ):
        assert not worse.agrees
    assert replace(view, instances=(*view.instances, instance(9, "BACKUP"))).agrees
    assert without_vips("MASTER").agrees


def test_what_looks_well_on_the_page_is_what_agrees() -> None:
    """The two are told of one view: a program that asks for `agrees` and a person who looks see the same."""
    for runs in (True, False, None):
        for states in ("MASTER MASTER", "MASTER UNKNOWN", "UNKNOWN UNKNOWN"):
            for present in (True, None):
                first, second = states.split()
                held = replace(vip(0, first), present=present, expected=True if first == "MASTER" else None)
                instances = (instance(0, first), instance(1, second))
                view = replace(agreeing(), keepalived_runs=runs, vips=(held,), instances=instances)
                assert (headline(view).tone == "good") == view.agrees, (runs, states, present)


def test_findings_are_shown_beside_the_rest() -> None:
    finding = "keepalived.conf line 7: <b>VI_9</b> has no interface, and Keepalived leaves it out"
    text = page.render(replace(healthy(), findings=(finding,)))
    assert "What is written and does not count" in text
    assert "line 7: &lt;b&gt;VI_9&lt;/b&gt; has no interface" in text
