"""What does a browser show of the group? Runs in a node's namespace, and tells in lines which headline it sees when."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.browser import PLACES_OF_READERS, axe_violations, browser, colours, console_errors, resize, screenshot

PATIENCE = 60.0


def tell(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def main(directory: str, url: str, *headlines: str) -> None:
    """Say when the page shows each headline, one after the other, and whether it is accessible with the second."""
    with browser(Path(directory)) as driver:
        driver.get(url)
        driver.execute_script("window.loadedOnce = true")
        for number, headline in enumerate(headlines):
            ends = time.monotonic() + PATIENCE
            while headline != driver.execute_script("return document.querySelector('h1').textContent"):
                if time.monotonic() > ends:
                    tell(error=f"no {headline}", page=driver.execute_script("return document.body.innerText"))
                    return
                time.sleep(0.02)
            tell(seen=headline, at=time.monotonic(), title=driver.title)
            if number == 1:
                found = []
                for width, dark in PLACES_OF_READERS:
                    resize(driver, width)
                    colours(driver, dark=dark)
                    found += axe_violations(driver)
                    screenshot(driver, f"group-{width}-{'dark' if dark else 'light'}")
                wrong = driver.execute_script("return document.querySelector('#group-wrong').innerText")
                tell(seen="accessible", violations=found, wrong=wrong)
        once = driver.execute_script("return window.loadedOnce === true")
        tell(seen="all", errors=console_errors(driver), once=once)


if __name__ == "__main__":
    main(*sys.argv[1:])
