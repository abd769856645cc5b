"""Proves the loop: what was served and done comes back as numbers that can be decided by.

    python -m models.benches.loop --simulate jobs.simulate_shop:main ...

`make bench-loop` names the programs. A shop is simulated, released and put to an A/B test by the
real steps. Its customers get their lists from the real server for some days, and what the tables
say is held against what happened. Whatever is about rates is lived through many times without the
network. The last line is JSON. Takes about ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from infra.command_line import run_program
from infra.loading import load_named
from infra.records.ab_tests import AbTest
from infra.shop_home import open_home
from infra.spark.session import start_local
from infra.storage import Storage
from models.ab_tests.judge_ab_tests import judge_ab_tests
from models.benches.loop_days import ENDS, SIZE, measure, over, serve, start
from models.benches.loop_expected import (
    counted,
    counted_units,
    expected,
    expected_units,
    noted_requests,
)
from models.benches.loop_rates import rates
from models.benches.loop_served import Lived
from models.benches.loop_shop import RUN, Programs, quality, release
from models.benches.loop_worlds import World, agreement, judged, ladder, lists_of
from models.benches.serving_shop import home_of_its_own

DAYS, WATCHED, KILLS_A_DAY = 6, 3, 2  # served over HTTP; of each customer; of the server
LIVED = range(28)  # days without the network
BESTSELLERS = "popularity"


def main(arguments: Sequence[str] | None = None) -> int:
    """Live through the loop once over HTTP, and many times without."""
    chosen, programs = _parser().parse_args(arguments), programs_of(arguments)
    with home_of_its_own():
        os.environ["CATWALK_SOURCES"] = "shop,rest"
        storage = Storage(open_home())
        start_local(storage.settings)
        pointer = release(storage, programs, SIZE, ENDS)
        _say(f"{pointer.candidate} is live")
        figures = _served(storage, programs)
        figures |= _worlds(storage, programs, chosen.kinds.split(","), chosen.needy)
    figures |= rates(chosen.repetitions)
    print(json.dumps(figures))
    return 0


def _served(storage: Storage, programs: Programs) -> dict[str, Any]:
    """Put the shop to a test, let its customers use the server, and hold the tables to it."""
    test = start(storage, programs, days=DAYS, watched=WATCHED)
    _say(f"{test.treatment.candidate} is tested against {test.control.candidate}")
    lived = serve(storage, programs, test, KILLS_A_DAY)
    as_of = over(test)
    measure(storage, programs, as_of)
    return _held(storage, lived, test) | _judged(storage, as_of)


def _held(storage: Storage, lived: Lived, test: AbTest) -> dict[str, Any]:
    """Compare the tables with what happened; differences are printed."""
    noted, gaps = noted_requests(storage)
    truth, found = expected(lived, noted), counted(storage)
    units_truth = expected_units(lived, noted, timedelta(days=WATCHED))
    units_found = counted_units(storage, test)
    for name, says in (("the log", truth), ("the tables", found)):
        _say(f"{name}: {says}")
    for name, of_arms in (("the log", units_truth), ("the tables", units_found)):
        _say(f"{name}: {of_arms}")
    return {
        "answers": len(lived.answers),
        "kills": lived.kills,
        "lines_lost": len({answer.request_id for answer in lived.answers} - noted),
        "lines_missed": gaps,
        "counts_equal": truth == found and units_truth == units_found,
    }


def _judged(storage: Storage, as_of: datetime) -> dict[str, Any]:
    verdict = judge_ab_tests(storage, as_of).verdicts[0]
    _say(verdict.headline)
    return {"verdict": verdict.outcome}


def _worlds(
    storage: Storage, programs: Programs, kinds: Sequence[str], needy: str
) -> dict[str, Any]:
    """Live without the network, with lists of every kind and customers of every kind."""
    worlds: dict[str, World] = {
        kind: load_named(programs.world)(SIZE.events, SIZE.days, kind, 1)
        for kind in (*kinds, needy)
    }
    known = quality(storage)
    lists = {name: lists_of(storage, RUN, name, worlds[kinds[0]]) for name in known}
    best = max(known, key=known.__getitem__)
    apart = worlds.pop(needy)
    steps = ladder(worlds[kinds[0]], lists[best], lists[BESTSELLERS], LIVED)
    _say(f"ladder: {steps}")
    agreed = [row[-1] for row in agreement(worlds, lists, known, LIVED)]
    pair = {name: lists[name] for name in (best, BESTSELLERS)}
    against = [row[-1] for row in agreement(worlds, pair, known, LIVED)]
    nothing = judged(apart, lists[BESTSELLERS], lists[best], LIVED)
    _say(f"{needy}: {nothing.headline}")
    return {
        "ladder": steps,
        "agree": round(sum(against) / len(against), 3),
        "agree_all_pairs": round(sum(agreed) / len(agreed), 3),
        "verdict_where_nothing_is_gained": nothing.outcome,
    }


def _say(text: str) -> None:
    print(text, flush=True)


def programs_of(arguments: Sequence[str] | None) -> Programs:
    """Read from the command line which parts of the shop there are."""
    chosen = _parser().parse_args(arguments)
    return Programs(**{field.name: getattr(chosen, field.name) for field in fields(Programs)})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for program in fields(Programs):
        parser.add_argument(f"--{program.name}", required=True, metavar="MODULE:FUNCTION")
    parser.add_argument("--kinds", default="", help="of customers, by commas")
    parser.add_argument("--repetitions", type=int, default=2_000, help="of what is about rates")
    parser.add_argument("--needy", default="", help="customers whom no list sells more")
    return parser


if __name__ == "__main__":
    sys.exit(run_program(main))
