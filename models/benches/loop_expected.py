"""Counts by plain loops what the marts must say of days that were lived through a real server."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from infra.ledger.marts import mart, units_of_test
from infra.mart_schemas import EXPOSURES, KPI_DAILY
from infra.records.ab_tests import AbTest
from infra.storage import Storage
from models.benches.loop_served import ROBOT, Answered, Event, Lived


def expected(lived: Lived, noted: set[str]) -> dict[str, Any]:
    """Count by plain loops what the tables must say, of the answers whose line was not lost.

    Parameters
    ----------
    noted : set of str
        The request ids in the served log.
    """
    answers = {answer.request_id: answer for answer in lived.answers if answer.request_id in noted}
    totals: Counter[str] = Counter(exposures=sum(len(each.items) for each in answers.values()))
    clicks: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    people = [event for event in lived.events.values() if event["user_id"] != ROBOT]
    for event in people:
        known = event.get("request_id") in answers
        if known and event["event_type"] in ("impression", "click"):
            totals[f"{event['event_type']}s"] += 1
        if known and event["event_type"] == "click":
            told = (event["event_time"], event["request_id"])
            clicks[event["user_id"], event["item_id"]].append(told)
    orders = set[tuple[str, str]]()
    for event in people:
        if event["event_type"] != "purchase":
            continue
        credited = _credited(event, clicks[event["user_id"], event["item_id"]])
        if credited:
            totals["units"] += 1
            totals["cents"] += round(100 * event["unit_price"])
            orders.add((credited, event["order_id"]))
    totals["orders"] = len(orders)
    return dict(totals)


def _credited(event: Event, clicks: list[tuple[str, str]]) -> str:
    """Return the request of the last click in the day before a purchase; "" without one."""
    moment = datetime.fromisoformat(event["event_time"])
    day = timedelta(hours=24)
    in_time = (
        (clicked, request)
        for clicked, request in clicks
        if datetime.fromisoformat(clicked) <= moment < datetime.fromisoformat(clicked) + day
    )
    return max(in_time, default=("", ""))[1]


def expected_units(lived: Lived, noted: set[str], watched: timedelta) -> dict[str, dict[str, int]]:
    """Count by plain loops what the units of each arm did from their first answer on."""
    first: dict[str, Answered] = {}
    for answer in sorted(lived.answers, key=lambda each: each.at):
        if answer.request_id in noted and answer.arm:
            first.setdefault(answer.user_id, answer)
    totals = {arm: Counter[str]() for arm in ("control", "treatment")}
    orders = {arm: set[str]() for arm in totals}
    for answer in first.values():
        totals[answer.arm]["units_of_test"] += 1
    for event in lived.events.values():
        unit = first.get(event["user_id"])
        if unit is None or event["event_type"] != "purchase":
            continue
        if unit.at <= datetime.fromisoformat(event["event_time"]) < unit.at + watched:
            orders[unit.arm].add(event["order_id"])
            totals[unit.arm]["cents"] += round(100 * event["unit_price"])
    return {arm: {**counts, "orders": len(orders[arm])} for arm, counts in totals.items()}


def noted_requests(storage: Storage) -> tuple[set[str], int]:
    """Return the request ids of the served log as it landed, and how many numbers it lacks."""
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    found = set[str]()
    for file in sorted((Path(storage.landing) / "served").glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                told = json.loads(line)
            except ValueError:  # the server was killed in the middle of a line
                continue
            found.add(told["request_id"])
            numbers[told["process"]].add(told["sequence"])
    return found, sum(max(seen) - len(seen) for seen in numbers.values())


def counted(storage: Storage) -> dict[str, int]:
    """Return the same totals as `expected`, of the marts."""
    rows = mart(storage, KPI_DAILY.name).to_table().to_pylist()
    sums = ("impressions", "clicks", "units", "orders")
    totals = {name: sum(row[name] for row in rows) for name in sums}
    totals["exposures"] = mart(storage, EXPOSURES.name).count_rows()
    totals["cents"] = sum(
        round(100 * worth) for row in rows for _, worth in row["gross_revenue"] or ()
    )
    return totals


def counted_units(storage: Storage, test: AbTest) -> dict[str, dict[str, int]]:
    """Return the same totals as `expected_units`, of the marts."""
    rows = units_of_test(storage, test.number, 1)[0].to_table().to_pylist()
    return {
        arm: {
            "units_of_test": len(mine),
            "cents": sum(round(100 * row["gross_revenue"]) for row in mine),
            "orders": sum(row["orders"] for row in mine),
        }
        for arm in ("control", "treatment")
        if (mine := [row for row in rows if row["arm"] == arm])
    }
