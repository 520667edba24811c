"""A program that prints what a tap hears, a line of JSON each; and asks, when it is told for what, and on what."""

from __future__ import annotations

import json
import sys
import time

from hachecks.wire.frames import Advert
from hachecks.wire.tap import Tap


def main(argv: list[str]) -> None:
    """Hear until the end, and ask each 50 ms for `ADDRESS@INTERFACE …`."""
    tap = Tap()
    print(json.dumps({"kind": "ready"}), flush=True)
    asked = [one.rpartition("@") for one in argv]
    while True:
        for address, _, interface in asked:
            try:
                tap.ask(address, interface)
            except OSError as error:
                print(json.dumps({"kind": "trouble", "what": str(error)}), flush=True)
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            for said in tap.hear(0.02):
                print(json.dumps({"kind": type(said).__name__, **said._asdict()}, default=bytes.decode), flush=True)
                assert isinstance(said, Advert) or said.address


if __name__ == "__main__":
    main(sys.argv[1:])
