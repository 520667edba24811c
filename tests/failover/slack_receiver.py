"""Slack, as strict as it is, inside a namespace: prints where it listens, then each message it takes, as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.receivers import SlackWebhook

if __name__ == "__main__":
    with SlackWebhook() as slack:
        print(slack.hook, flush=True)
        told = 0
        while True:
            for asked in slack.requests[told:]:
                print(json.dumps({"path": asked.target, "text": json.loads(asked.body)["text"]}), flush=True)
                told += 1
            time.sleep(0.02)
