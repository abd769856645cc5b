"""Shows the loop: a shop is simulated, released, tested on its customers, measured and decided.

    python -m models.benches.demo_loop --simulate jobs.simulate_shop:main ...

`make demo-loop` names the programs. The steps are the real ones; no scheduler runs, and the clock
of the server is moved, so that weeks pass in minutes. The home stays: `make up SHOP=loop` shows it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

from infra.command_line import run_program
from infra.errors import InputError
from infra.ledger.ab_verdicts import latest_ab_verdict
from infra.ledger.live_pointer import live
from infra.shop_home import open_home
from infra.spark.session import start_local
from infra.storage import Storage
from models.ab_tests.decide_ab_test import decide_ab_test
from models.ab_tests.judge_ab_tests import judge_ab_tests
from models.benches.loop import programs_of
from models.benches.loop_days import AFTER, ENDS, NAME, SIZE, measure, over, serve, start
from models.benches.loop_shop import Programs, release

DAYS, WATCHED = 7, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Walk the loop once, and say at each step what stands where."""
    programs, began = programs_of(arguments), time.monotonic()
    os.environ["CATWALK_SOURCES"] = "shop,rest"
    storage = Storage(open_home({"CATWALK_SOURCES": "shop,rest"}))
    if live(storage) is not None:
        raise InputError(f"{storage.settings.home} holds a shop already.", "Remove it first.")
    start_local(storage.settings)
    _walk(storage, programs)
    print(f"\nDone in {time.monotonic() - began:.0f} s. `make up SHOP=loop` shows the pages.")
    return 0


def _walk(storage: Storage, programs: Programs) -> None:
    pointer = release(storage, programs, SIZE, ENDS)
    print(f"live: {pointer.candidate}, {pointer.version}", flush=True)
    test = start(storage, programs, DAYS, WATCHED)
    print(f"tested against it: {test.treatment.candidate}, {test.treatment.version}", flush=True)
    lived = serve(storage, programs, test, kills=0)
    print(f"{len(lived.answers):,} answers, {len(lived.events):,} events", flush=True)
    measure(storage, programs, over(test))
    judge_ab_tests(storage, over(test))
    kept = latest_ab_verdict(storage, NAME)
    assert kept is not None
    print(kept.verdict.headline, flush=True)
    decision = "ship" if kept.verdict.outcome == "ship" else "keep"
    who, said = storage.settings.approvers[0], f"{NAME} {kept.sha256}"
    made = decide_ab_test(storage, said, decision, who, "as the verdict says", AFTER)
    now = live(storage)
    print(f"decided: {made.decision}; live: {now.candidate if now else 'nothing'}", flush=True)


if __name__ == "__main__":
    sys.exit(run_program(main))
