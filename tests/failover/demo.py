"""Shows real failovers: `make demo`, or as root `python tests/failover/demo.py`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Run as a file, Python looks for modules beside it and not where the packages are.
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    from tests.failover.show import main

    sys.exit(main())
