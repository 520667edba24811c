"""Who answers http://HOST/ right now?  Asks every 50 ms and prints one line for each request.

A line is: when it began, when it ended (seconds, monotonic clock), and the name the server gave, or `-` for no
good answer.  Runs alone inside the client's network namespace, so it needs the standard library only.
"""

from __future__ import annotations

import asyncio
import sys
import time

EVERY = 0.05
TIMEOUT = 0.3


async def ask(host: str) -> str:
    reader, writer = await asyncio.open_connection(host, 80)
    try:
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return body.decode().strip() if b" 200 " in head.split(b"\r\n")[0] else "-"


async def report(host: str) -> None:
    began = time.monotonic()
    try:
        answer = await asyncio.wait_for(ask(host), TIMEOUT)
    except (OSError, asyncio.TimeoutError):
        answer = "-"
    print(f"{began:.6f} {time.monotonic():.6f} {answer}", flush=True)


async def main(host: str) -> None:
    running: set[asyncio.Task[None]] = set()
    while True:
        # A request that hangs must not delay the next one, or the outage would be measured in steps of its timeout.
        task = asyncio.create_task(report(host))
        running.add(task)
        task.add_done_callback(running.discard)
        await asyncio.sleep(EVERY)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
