"""Publishing killed by SIGKILL at every step: what is live is the old or the new version, whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from infra.live_pointer import live
from infra.run_records import RunRecords
from infra.storage import Storage
from models.publish import publish, version_key
from tests.models.conftest import AS_OF, RUN, WriteRun, prepare_bundle
from tests.models.test_publish import OTHER, dying, is_whole

STUCK_SECONDS = 60


def kill_this_process(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def publish_in_a_child(make: Callable[[], Storage]) -> int:
    """Publish in a process of its own, which may kill itself; return how it ended."""
    child = os.fork()  # a fresh interpreter would cost a second each time
    if child == 0:
        signal.alarm(STUCK_SECONDS)
        try:
            publish(OTHER, make())
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_killed_at_every_step_and_run_again(shop: Storage, write_run: WriteRun) -> None:
    prepare_bundle(shop, write_run())
    first = publish(RUN, shop)
    version = prepare_bundle(shop, write_run(run=OTHER, as_of=AS_OF + timedelta(hours=6)))
    moment, ended = 0, -signal.SIGKILL
    seen = set()
    while ended == -signal.SIGKILL:
        ended = publish_in_a_child(partial(dying, shop, moment, kill_this_process))
        now = live(shop)
        assert now is not None and is_whole(shop, now), moment
        assert now == first or (now.number, now.version) == (2, version), moment
        seen.add(now.version)
        assert publish_in_a_child(partial(Storage, shop.settings)) == 0, moment
        now = live(shop)
        assert now is not None and now == RunRecords(shop, OTHER).load_published()
        assert (now.number, now.version, now.previous) == (2, version, first.version)
        assert is_whole(shop, now) and is_whole(shop, first)
        assert shop.published.list("live") == ["live/0000000001.json", "live/0000000002.json"]
        go_back(shop, version)
        moment += 1
    assert ended == 0 and moment > 20 and seen == {first.version, version}


def go_back(shop: Storage, version: str) -> None:
    """Make it as it was before the second publishing."""
    pointer = shop.published.read("live/0000000001.json")
    for key in ("live", version_key(version)):
        shop.published.delete_folder(key)
    shop.published.write("live/0000000001.json", pointer)
    Path(shop.reports.address, OTHER, "published.json").unlink()
