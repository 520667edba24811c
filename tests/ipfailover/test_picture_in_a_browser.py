"""The picture in a browser: nothing is asked for, no text lies on another, and all can be read in light and dark."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from hachecks.ipfailover.against import against
from hachecks.ipfailover.picture.page import picture
from tests.browser import axe_violations, browser, colours, console_errors, missing, requests, resize, screenshot
from tests.ipfailover.given import plan
from tests.ipfailover.test_picture import HOSTILE, hostile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver.chrome.webdriver import WebDriver

CONTRAST = 4.5
"""Of text to its ground, as WCAG 2 wants it (1.4.3)."""
TEXTS = """
return [...document.querySelectorAll("text")].map((text) => {
    const box = text.getBoundingClientRect();
    const below = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const ground = below.find((one) => one.tagName === "rect" || one.tagName === "path");
    return [text.textContent, box.x, box.y, box.right, box.bottom,
            getComputedStyle(text).fill, ground ? getComputedStyle(ground).fill : ""];
});
"""

SIZE = "const root = document.documentElement; return [root.width.baseVal.value, root.height.baseVal.value]"


class Text(NamedTuple):
    """A text as it is shown."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    ink: str
    ground: str

    def overlaps(self, other: Text) -> bool:
        """Whether it lies on another, but for what a font has above and below its letters."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        # Half of the line's height is the letters'; boxes of neighbouring lines touch.
        return across > 0.5 and down > 3

    @property
    def contrast(self) -> float:
        """Of the ink to its ground (WCAG 2, relative luminance)."""
        one, other = sorted(map(luminance, (self.ink, self.ground)))
        return (other + 0.05) / (one + 0.05)


def luminance(colour: str) -> float:
    """Of `rgb(11, 79, 113)`."""
    parts = [int(part) / 255 for part in colour[len("rgb(") : -1].split(",")]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    lack = missing()
    if lack and "CI" in os.environ:
        pytest.fail(lack)
    if lack:
        pytest.skip(lack)
    with browser(tmp_path_factory.mktemp("browser")) as one:
        yield one


def numbered(count: int, domain: str = "") -> str:
    return ",".join(f"worker-{number}{domain}" for number in range(count))


PICTURES = {
    "5 VIPs on 3 nodes": lambda: [plan(VIRTUAL_IPS="10.0.0.1-5", NODES=numbered(3, ".ocp.example.com"))],
    "groups on 6 nodes": lambda: [
        plan(
            VIRTUAL_IPS="10.0.0.1-24,fd00::1:2:3:4:10-1f",
            VIP_GROUPS="20",
            PREEMPTION="nopreempt",
            UNICAST_PEERS=",".join(f"10.1.0.1{number}" for number in range(6)),
        )
    ],
    "two configurations by hash": lambda: [
        plan(placement="hash", CONFIG_NAME=name, VIRTUAL_IPS=f"10.0.{number}.1-12", NODES=numbered(12))
        for number, name in enumerate(("router", "geo-cache"))
    ],
    "long names": lambda: [plan(VIRTUAL_IPS="10.0.0.1-3", NODES=f"{'a' * 200},{'b' * 60}.x.org,c")],
    "hostile names": lambda: [hostile(HOSTILE, HOSTILE + "n", HOSTILE)],
    "no nodes": lambda: [plan(VIRTUAL_IPS="10.0.0.1-3")],
    "one node": lambda: [plan(VIRTUAL_IPS="10.0.0.1-3", NODES="a")],
    "two nodes": lambda: [plan(VIRTUAL_IPS="10.0.0.1-255", VRRP_ID_OFFSET="0", NODES="a,b")],
    "255 VIPs on 50 nodes": lambda: [plan(VIRTUAL_IPS="10.0.0.1-255", VRRP_ID_OFFSET="0", NODES=numbered(50))],
}


@pytest.mark.parametrize("name", PICTURES)
def test_it_is_shown_without_complaint_overlap_or_faint_text(name: str, driver: WebDriver, tmp_path: Path) -> None:
    plans = PICTURES[name]()
    changes = against([plan(VIRTUAL_IPS="10.0.0.1-9", NODES="a,b,z")], plans) if len(plans[0].instances) < 20 else None
    file = tmp_path / "plan.svg"
    file.write_text(picture(plans, changes))
    requests(driver)  # those of the picture before
    for dark in (False, True):
        colours(driver, dark=dark)
        driver.get(file.as_uri())
        width, height = map(int, driver.execute_script(SIZE))
        resize(driver, width, height)
        texts = [Text(*one) for one in driver.execute_script(TEXTS)]
        assert len(texts) >= len(plans)
        screenshot(driver, f"plan-{name.replace(' ', '-')}-{'dark' if dark else 'light'}")
        assert [one for one in texts if one.contrast < CONTRAST] == []
        assert [one for one in texts if one.left < 0 or one.right > width or one.bottom > height] == []
        assert overlapping(texts) == []
        assert axe_violations(driver) == []
    assert console_errors(driver) == []
    assert set(requests(driver)) == {file.as_uri()}


def overlapping(texts: list[Text]) -> list[tuple[str, str]]:
    """Pairs of texts of which one lies on the other; those below the lower edge of one need not be compared."""
    ordered = sorted(texts, key=lambda one: one.top)
    found = []
    for number, one in enumerate(ordered):
        for other in ordered[number + 1 :]:
            if other.top >= one.bottom:
                break
            if one.overlaps(other):
                found.append((one.text, other.text))
    return found


def test_it_keeps_its_size_in_a_narrow_window_and_shrinks_in_a_page(driver: WebDriver, tmp_path: Path) -> None:
    file, page = tmp_path / "plan.svg", tmp_path / "page.html"
    file.write_text(picture(PICTURES["5 VIPs on 3 nodes"](), None))
    page.write_text('<!doctype html><title>x</title><img src="plan.svg" alt="" style="max-width:100%">')
    resize(driver, 360)
    driver.get(file.as_uri())
    natural = driver.execute_script("return document.documentElement.getBoundingClientRect().width")
    assert natural > 360
    driver.get(page.as_uri())
    image = "const box = document.images[0].getBoundingClientRect(); return [box.width, box.height]"
    width, height = driver.execute_script(image)
    assert width <= 360
    assert height < 900
