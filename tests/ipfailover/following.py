"""A follower of Services in a thread of its own, with the files that it writes and the lines that it tells."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import threading
import warnings
from typing import TYPE_CHECKING, Any

from hachecks import state
from hachecks.ipfailover import ledger
from hachecks.ipfailover.follow.command import FollowCommand
from hachecks.ipfailover.follow.files import ENV, LEDGER, FollowReport, read_report
from hachecks.ipfailover.follow.main import made
from hachecks.ipfailover.follow.pace import Pace
from hachecks.ipfailover.pod.added import with_added
from hachecks.ipfailover.settings import settings_of
from hachecks.ipfailover.sources import env_file
from hachecks.settings import build
from tests.failover.namespace import wait_until
from tests.ipfailover.kube_api import CONFIG_MAP, NAMESPACE, KubeApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hachecks.ipfailover.ledger import Ledger
    from hachecks.ipfailover.settings import Settings

QUICK = Pace(request=60, watch=60, silence=30, least_wait=0.05, longest_wait=0.4, look=0.05, report=0.1, page=3)
OWN = "OPENSHIFT_HA_CONFIG_NAME=router\nOPENSHIFT_HA_VIRTUAL_IPS=10.0.0.1-2\nOPENSHIFT_HA_CHECK_SCRIPT_1=true\n"


class Following:
    """A follower that runs, on a node."""

    def __init__(
        self, api: KubeApi, directory: Path, node: str, pace: Pace, text: str, options: dict[str, Any]
    ) -> None:
        self.api = api
        self.directory = directory / node
        self.directory.mkdir(exist_ok=True)
        self.variables = directory / f"{node}.env"
        self.variables.write_text(text)
        self.told: list[str] = []
        flags = {
            "env_file": (str(self.variables),),
            "state_dir": str(self.directory),
            "service_account": str(api.account),
            "node_name": node,
            "service_range": ("10.0.0.20-29",),
            **options,
        }
        self.command: FollowCommand = build(FollowCommand, "ipfailover follow", flags, {}, {})
        self._loop = asyncio.new_event_loop()
        follower = made(self.command, api.environ, str(self.directory), self.told.append, pace)
        self._task = self._loop.create_task(follower.follow())
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(asyncio.sleep(0.01))  # in which what is aborted ends
        self._loop.close()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(60)
        assert not self._thread.is_alive()
        with warnings.catch_warnings():
            # httpcore leaves the socket of a handshake that is cancelled to the garbage collector.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()

    @property
    def is_well(self) -> bool:
        return self._thread.is_alive()

    @property
    def env(self) -> str:
        return state.read(str(self.directory / ENV))

    @property
    def ledger(self) -> Ledger:
        return ledger.read(state.read(str(self.directory / LEDGER)), LEDGER)

    @property
    def report(self) -> FollowReport | None:
        return read_report(str(self.directory))

    def settings(self) -> Settings:
        """What `run` makes of the variables and of what is followed."""
        own, added = env_file(self.variables.read_text(), "variables"), env_file(self.env, ENV)
        return settings_of(with_added(own, added).given, (5, 1))

    @property
    def checks(self) -> dict[str, str]:
        """The VIPs in force, each with its own check."""
        settings = self.settings()
        commands = dict(settings.range_checks)
        vips = settings.virtual_ips
        return {str(vip): commands.get(item, "") for vip, item in zip(vips.addresses, vips.items)}

    @property
    def vips(self) -> list[str]:
        return list(self.checks)

    def wait_for(self, *vips: str) -> None:
        """Until these are the VIPs of Services in force."""
        wait_until(
            f"{self.directory.name} has {vips}, and no {self.vips}: {self.told}", lambda: self.vips[2:] == list(vips)
        )

    def wait_until_told(self, words: str, times: int = 1) -> None:
        wait_until(f"{words!r} is in {self.told}", lambda: sum(words in line for line in list(self.told)) >= times)

    def allocated(self) -> dict[str, list[str]]:
        """Which Service has what."""
        return allocations(self.api)

    def ids(self) -> dict[str, int]:
        return {vip: one.id for one in self.ledger["router"].entries for vip in one.vips}


@contextlib.contextmanager
def following(
    api: KubeApi, directory: Path, node: str = "node-a", *, pace: Pace = QUICK, text: str = OWN, **options: Any
) -> Iterator[Following]:
    one = Following(api, directory, node, pace, text, options)
    one.start()
    try:
        yield one
    finally:
        one.stop()


def allocations(api: KubeApi) -> dict[str, list[str]]:
    """What the ConfigMap says of the configuration."""
    found = api.objects["configmaps"].get(f"{NAMESPACE}/{CONFIG_MAP}")
    return json.loads(found["data"]["services.json"])["configurations"].get("router", {}) if found else {}
