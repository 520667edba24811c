"""What does a browser show of a live failover? Runs in a node's namespace, and tells in lines what it sees there."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.browser import axe_violations, browser, console_errors, screenshot

PATIENCE = 60.0


def tell(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def main(directory: str, url: str, before: str, after: str) -> None:
    """Say when the page shows one state, and then the other."""
    with browser(Path(directory)) as driver:
        driver.get(url)
        driver.execute_script("window.loadedOnce = true")
        for name, state in (("before", before), ("after", after)):
            ends = time.monotonic() + PATIENCE
            # Of the VIP's own row: the word is in the legend, too.
            while state not in driver.execute_script("return document.querySelector('tbody tr').innerText"):
                if time.monotonic() > ends:
                    tell(error=f"no {state}", page=driver.execute_script("return document.body.innerText"))
                    return
                time.sleep(0.02)
            tell(seen=name, at=time.monotonic(), once=driver.execute_script("return window.loadedOnce === true"))
        screenshot(driver, "live-failover")
        tell(seen="all", errors=console_errors(driver), violations=axe_violations(driver))


if __name__ == "__main__":
    main(*sys.argv[1:])
