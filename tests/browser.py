"""Chromium without a window, as Debian packages it, driven through Selenium and reaching nothing but this machine."""

from __future__ import annotations

import base64
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axe_core_python.base import AXE_SCRIPT
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver.chrome.webdriver import WebDriver

PROGRAMS = {"chromium": "chromium", "chromedriver": "chromium-driver"}
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-proxy-server",
)
PLACES_OF_READERS = ((1280, False), (1280, True), (360, False), (320, True))
"""Widths of a page, and whether its reader prefers it dark."""
ARTEFACTS = Path(__file__).parents[1] / "build" / "screenshots"


def missing() -> str | None:
    """One sentence that says what to install, or None."""
    for command, package in PROGRAMS.items():
        if shutil.which(command) is None:
            return f"{command} is not installed: apt-get install {package}"
    return None


@contextmanager
def browser(directory: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> Iterator[WebDriver]:
    """A browser with a new profile under `directory`, whose pages are so many CSS pixels wide."""
    options = Options()
    options.binary_location = str(shutil.which("chromium"))
    for flag in (*FLAGS, f"--user-data-dir={directory / 'profile'}", f"--window-size={max(width, 500)},{height}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    environ = {**os.environ, "SE_OFFLINE": "true"}
    service = Service(executable_path=str(shutil.which("chromedriver")), port=free_port(), env=environ)
    driver = webdriver.Chrome(options=options, service=service)
    try:
        driver.set_page_load_timeout(120)
        driver.set_script_timeout(240)
        resize(driver, width, height)
        colours(driver, dark=dark)
        yield driver
    finally:
        driver.quit()


def resize(driver: WebDriver, width: int, height: int = 900) -> None:
    """Make the page so wide: a window is never narrower than 500."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def colours(driver: WebDriver, *, dark: bool) -> None:
    """What the reader prefers."""
    feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def without_scripts(driver: WebDriver) -> None:
    """From the next page on, no script of a page runs."""
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})


def console_errors(driver: WebDriver) -> list[str]:
    """What the console has complained of since it was asked last: errors and warnings, of policies too."""
    log: list[dict[str, Any]] = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in log if entry["level"] in ("SEVERE", "WARNING")]


def requests(driver: WebDriver) -> list[str]:
    """The URLs that pages have asked for since this was asked last, but for what is in the browser itself."""

    log: list[dict[str, Any]] = driver.get_log("performance")  # type: ignore[no-untyped-call]
    messages = [json.loads(entry["message"])["message"] for entry in log]
    sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
    urls = [str(one["request"]["url"]) for one in sent]
    return [url for url in urls if not url.startswith(("chrome:", "data:"))]


def axe_violations(driver: WebDriver) -> list[str]:
    """What axe finds inaccessible: rule, help, the elements; colours that just change come to their end first."""
    driver.execute_script(AXE_SCRIPT)
    found: dict[str, Any] = driver.execute_async_script(
        "const done = arguments[0]; Promise.allSettled(document.getAnimations().map((one) => one.finished))"
        ".then(() => axe.run()).then((all) => done({violations: all.violations}))"
    )
    return [
        f"{rule['id']}: {rule['help']}: {[node['html'][:160] for node in rule['nodes'][:4]]}"
        for rule in found["violations"]
    ]


def screenshot(driver: WebDriver, name: str, *, whole: bool = False) -> Path:
    """Keep a picture of what is seen, or of the whole page, as `name`.png among the artefacts of the tests."""
    directory = Path(os.environ.get("HACHECK_TEST_ARTEFACTS", ARTEFACTS))
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.png"
    if whole:
        taken = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True})
        path.write_bytes(base64.b64decode(taken["data"]))
    else:
        path.write_bytes(driver.get_screenshot_as_png())
    return path
