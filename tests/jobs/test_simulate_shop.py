"""The simulator: its bytes follow from the options, its truth is true, its tastes can be learnt."""

from __future__ import annotations

import hashlib
import json
import re
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.errors import InputError
from infra.schemas import EVENT_TYPES
from jobs import simulate_shop
from jobs.simulate_shop import SimulationOptions, Truth, main, simulate
from jobs.simulation import writer
from jobs.simulation.options import DEFAULT_FAULTS, parse_faults

FAULTS = {**DEFAULT_FAULTS, "too_long": 0.0003, "duplicate": 0.01}
OPTIONS = SimulationOptions(events=40_000, days=5, users=1_000, items=600, faults=FAULTS)
REQUIRED = ("event_id", "event_type", "event_time", "item_id")
KNOWN = {
    *(*REQUIRED, "user_id", "visitor_id", "market"),
    *("session_id", "placement", "request_id", "quantity", "unit_price", "currency", "rating"),
    "order_id",
}
PERSONAL = re.compile(r"@|\+48 \d|192\.0\.2\.\d")
Shop = tuple[Path, Truth]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    into = tmp_path_factory.mktemp("shop")
    return into, simulate(into, OPTIONS)


def _lines(into: Path, what: str = "events") -> Iterator[bytes]:
    for path in sorted((into / what / "shop").glob("*.jsonl")):
        yield from path.read_bytes().removesuffix(b"\n").split(b"\n")


def _digests(into: Path) -> dict[str, str]:
    files = sorted(path for path in into.glob("**/*") if path.is_file())
    return {
        str(path.relative_to(into)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _fault_of(line: bytes) -> str | None:
    """Tell what is wrong with a line, knowing nothing of the simulator but the row format."""
    if len(line) > 65_536:
        return "too_long"
    try:
        row = json.loads(line.decode(), parse_constant=_refuse)
    except UnicodeDecodeError:
        return "not_utf8"
    except ValueError:
        return "malformed_json"
    return _fault_of_row(row)


def _shopper(row: dict[str, Any]) -> str:
    """Return the number of who it was, under whichever id; empty for nobody."""
    return str(row.get("user_id") or row.get("visitor_id") or "")[1:]


def _fault_of_row(row: dict[str, Any]) -> str | None:
    if any(row.get(name) in (None, "") for name in REQUIRED) or not _shopper(row):
        return "missing_field"
    texts = all(isinstance(row[name], str) for name in REQUIRED)
    if not texts or not row["event_time"].endswith("Z") or row.get("quantity") == "two":
        return "wrong_type"
    if row["event_type"] not in EVENT_TYPES:
        return "unknown_type"
    if row.get("quantity", 1) < 0:
        return "negative_quantity"
    return _fault_of_time(datetime.fromisoformat(row["event_time"]).date()) or _oddity(row)


def _fault_of_time(day: date) -> str | None:
    if day > OPTIONS.day(OPTIONS.days):
        return "future_time"
    return "too_old" if day < OPTIONS.first_day else None


def _oddity(row: dict[str, Any]) -> str | None:
    if set(row) - KNOWN:
        return "unknown_column"
    return "personal_text" if PERSONAL.search(row.get("placement", "")) else None


def _good_rows(into: Path) -> Iterator[dict[str, Any]]:
    seen = set()
    for line in _lines(into):
        if _fault_of(line) in (None, "personal_text", "unknown_column") and line not in seen:
            seen.add(line)
            yield json.loads(line)


def test_truth_equals_an_independent_count(shop: Shop) -> None:
    into, truth = shop
    seen: set[bytes] = set()
    found: Counter[str | None] = Counter()
    for line in _lines(into):
        found["duplicate" if line in seen else _fault_of(line)] += 1
        seen.add(line)
    none = found.pop(None)
    assert dict(found) == truth.faults
    assert found["duplicate"] == truth.duplicates
    assert none + found["personal_text"] + found["unknown_column"] == truth.clean
    assert truth.clean == OPTIONS.events
    assert truth.lines == sum(found.values()) + none
    assert truth.lines == truth.clean + truth.duplicates + truth.quarantined


def test_every_kind_of_fault_appears_at_its_rate(shop: Shop) -> None:
    _, truth = shop
    assert truth.faults == {kind: int(rate * OPTIONS.events) for kind, rate in FAULTS.items()}
    assert min(truth.faults.values()) > 0


def test_truth_counts_good_events_users_items_and_files(shop: Shop) -> None:
    into, truth = shop
    rows = list(_good_rows(into))
    assert truth.clean_by_type == Counter(row["event_type"] for row in rows)
    assert truth.users == len({_shopper(row) for row in rows})
    assert len({row["event_id"] for row in rows}) == truth.clean
    per_file = {name: (into / name).read_bytes().count(b"\n") for name in truth.files}
    assert per_file == truth.files
    assert set(per_file) == {name for name in _digests(into) if name != writer.TRUTH}
    assert (
        truth.items == OPTIONS.items == max(per_file[name] for name in per_file if "items" in name)
    )


def test_some_duplicates_come_a_day_later(shop: Shop) -> None:
    into, _ = shop
    days = defaultdict(set)
    for path in sorted((into / "events" / "shop").glob("*.jsonl")):
        for line in path.read_bytes().split(b"\n")[:-1]:
            days[line].add(path.name[:10])
    assert 10 <= sum(len(seen) > 1 for seen in days.values()) <= 40


def test_same_seed_same_bytes_other_seed_other_bytes(shop: Shop, tmp_path: Path) -> None:
    into, _ = shop
    simulate(tmp_path / "again", OPTIONS)
    assert _digests(tmp_path / "again") == _digests(into)
    other = SimulationOptions(**{**vars(OPTIONS), "seed": 8})
    simulate(tmp_path / "other", other)
    assert not set(_digests(tmp_path / "other").values()) & set(_digests(into).values())


def test_gzip_holds_the_same_lines_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    plain = SimulationOptions(events=500, days=1)
    packed = SimulationOptions(events=500, days=1, gzip=True)
    for name, options in (("plain", plain), ("once", packed), ("twice", packed)):
        simulate(tmp_path / name, options)
    assert _digests(tmp_path / "once") == _digests(tmp_path / "twice")
    name = "events/shop/2026-11-10-000.jsonl"
    no_time_in_the_header = (tmp_path / "once" / f"{name}.gz").read_bytes()[4:8]
    assert no_time_in_the_header == bytes(4)
    with writer.gzip.open(tmp_path / "once" / f"{name}.gz") as file:
        assert file.read() == (tmp_path / "plain" / name).read_bytes()


def test_good_events_are_the_same_without_faults(shop: Shop, tmp_path: Path) -> None:
    into, _ = shop
    truth = simulate(tmp_path, SimulationOptions(**{**vars(OPTIONS), "faults": {}}))
    assert truth.lines == truth.clean

    def facts(folder: Path) -> set[tuple[str, ...]]:
        return {tuple(str(row[name]) for name in REQUIRED) for row in _good_rows(folder)}

    assert facts(tmp_path) == facts(into)


def test_rows_for_quarantine_take_no_event_id_of_a_good_row(shop: Shop) -> None:
    good = {row["event_id"].encode() for row in _good_rows(shop[0])}
    assert good
    seen: set[bytes] = set()
    for line in _lines(shop[0]):
        if line not in seen and _fault_of(line) not in (None, "personal_text", "unknown_column"):
            assert not good & set(re.findall(rb"\b[0-9a-f]{16}\b", line))
        seen.add(line)


def test_memory_does_not_grow_with_the_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate_shop, "BLOCK", 2_000)

    def peak(events: int) -> int:
        tracemalloc.start()
        options = SimulationOptions(events=events, days=2, users=300, items=300)
        simulate(tmp_path / str(events), options)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(4_000)  # imports and caches are paid here
    assert peak(48_000) < 1.3 * peak(8_000)


def test_files_stay_below_their_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "LINES_A_FILE", 3_000)
    monkeypatch.setattr(simulate_shop, "BLOCK", 1_000)
    truth = simulate(tmp_path, SimulationOptions(events=8_000, days=1))
    counts = [lines for name, lines in truth.files.items() if name.startswith("events")]
    assert len(counts) > 2
    assert max(counts) <= 3_000
    assert sum(counts) == truth.lines


def test_an_interrupted_run_shows_no_half_file_and_a_rerun_completes_it(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into, _ = shop
    real, calls = writer._write_block, iter(range(100))

    def fail_on_the_third(file: Any, lines: list[str]) -> None:
        real(file, lines[: len(lines) // 2])
        if next(calls) == 2:
            raise KeyboardInterrupt
        real(file, lines[len(lines) // 2 :])

    with monkeypatch.context() as patched:
        patched.setattr(writer, "_write_block", fail_on_the_third)
        with pytest.raises(KeyboardInterrupt):
            simulate(tmp_path, OPTIONS)
    assert not (tmp_path / writer.TRUTH).exists()
    whole = _digests(into)
    visible = {name: seen for name, seen in _digests(tmp_path).items() if "/." not in f"/{name}"}
    assert len(visible) == 5  # two days of events, three of items
    assert visible.items() <= whole.items()
    with pytest.raises(InputError, match="other options"):
        simulate(tmp_path, SimulationOptions(events=10, days=1))
    simulate(tmp_path, OPTIONS)
    assert _digests(tmp_path) == whole


def test_a_finished_folder_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = SimulationOptions(events=200, days=2)
    first = simulate(tmp_path, options)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("**/*")}
    assert simulate(tmp_path, options) == first
    assert "nothing to do" in capsys.readouterr().err
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("**/*")}
    with pytest.raises(InputError, match="other options"):
        simulate(tmp_path, SimulationOptions(events=201, days=2))


def test_foreign_files_are_never_mixed_with_simulated_ones(tmp_path: Path) -> None:
    theirs = tmp_path / "events" / "shop" / "export.jsonl"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("{}\n")
    with pytest.raises(InputError, match="already holds"):
        simulate(tmp_path, SimulationOptions(events=10, days=1))
    assert theirs.read_text() == "{}\n"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="not a folder"):
        simulate(tmp_path / "file", SimulationOptions(events=10, days=1))


def test_funnel_narrows_and_impressions_do_not_drown_it(shop: Shop) -> None:
    _, truth = shop
    share = {name: count / truth.clean for name, count in truth.clean_by_type.items()}
    assert share["impression"] <= 0.35
    assert 0.12 <= share["wishlist"] + share["cart"] + share["purchase"] <= 0.155
    assert share["view"] > share["cart"] > share["purchase"] > share["return"] > 0
    assert share["click"] > 0 and share["scroll"] > 0 and share["rating"] > 0


def test_fields_are_there_exactly_when_they_apply(shop: Shop) -> None:
    sold = {"quantity", "unit_price", "currency"}
    rows = list(_good_rows(shop[0]))
    assert {"cart", "rating", "click"} <= {row["event_type"] for row in rows}
    for row in rows:
        kind = row["event_type"]
        assert (sold <= set(row)) == (kind in ("cart", "purchase", "return"))
        assert ("rating" in row) == (kind == "rating")
        assert "request_id" in row or kind not in ("impression", "click")


def test_what_a_session_buys_is_an_order(shop: Shop) -> None:
    rows = list(_good_rows(shop[0]))
    bought = [row for row in rows if row["event_type"] == "purchase"]
    orders = {row["session_id"]: row["order_id"] for row in bought}
    assert len(bought) > len(orders) > 10
    assert len(set(orders.values())) == len(orders)
    assert all(orders[row["session_id"]] == row["order_id"] for row in bought)
    assert not any("order_id" in row for row in rows if row["event_type"] != "purchase")


def test_purchases_follow_a_cart_and_clicks_an_impression(shop: Shop) -> None:
    rows = sorted(_good_rows(shop[0]), key=lambda row: str(row["event_time"]))
    steps: dict[str, set[tuple[str, str]]] = defaultdict(set)
    before = {"click": ("impression", "request_id"), "purchase": ("cart", "session_id")}
    assert before.keys() <= {row["event_type"] for row in rows}
    for row in rows:
        if row["event_type"] in before:
            earlier, link = before[row["event_type"]]
            assert (row[link], row["item_id"]) in steps[earlier]
        if row["event_type"] in ("impression", "cart"):
            link = "request_id" if row["event_type"] == "impression" else "session_id"
            steps[row["event_type"]].add((row[link], row["item_id"]))


def test_events_of_a_file_belong_to_its_day(shop: Shop) -> None:
    files = list((shop[0] / "events" / "shop").glob("*.jsonl"))
    assert len(files) > 1
    for path in files:
        good = (json.loads(line) for line in path.read_bytes().splitlines() if not _fault_of(line))
        days = Counter(row["event_time"][:10] for row in good)
        assert days[path.name[:10]] > 0.99 * days.total()


def test_catalogue_grows_and_changes_by_the_day(shop: Shop) -> None:
    days = [
        {row["item_id"]: row for row in map(json.loads, path.open())}
        for path in sorted((shop[0] / "items" / "shop").glob("*.jsonl"))
    ]
    for number, (yesterday, today) in enumerate(pairwise(days), start=1):
        midnight = f"{OPTIONS.day(number)}T00:00:00Z"
        assert set(yesterday) < set(today)
        changed = {key for key, row in yesterday.items() if today[key] != row}
        assert changed and all(today[key]["updated_at"] == midnight for key in changed)
        fresh = set(today) - set(yesterday)
        assert all(today[key]["listed_at"] == midnight for key in fresh)
    last = days[-1].values()
    assert 0.005 < np.mean([not row["has_picture"] for row in last]) < 0.05
    assert 0.01 < np.mean([not row["in_stock"] for row in last]) < 0.08
    assert {row["markets"] for row in last} == {"", "AT", "AT,DE"}
    assert all(row["item_id"] in row["url"] and row["picture_url"] for row in last)


def test_only_listed_items_are_looked_at_and_users_arrive_daily(shop: Shop) -> None:
    listed = {
        path.name[:10]: {json.loads(line)["item_id"] for line in path.open()}
        for path in (shop[0] / "items" / "shop").glob("*.jsonl")
    }
    first_seen: dict[str, str] = {}
    for row in _good_rows(shop[0]):
        day = row["event_time"][:10]
        assert row["item_id"] in listed[day]
        first_seen.setdefault(_shopper(row), day)
    assert len(set(first_seen.values())) == OPTIONS.days


def test_a_share_are_strangers_and_some_log_in_later(shop: Shop) -> None:
    """Customers have a user id, strangers a visitor id, and both who logged in: from then on."""
    ids: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for row in sorted(_good_rows(shop[0]), key=lambda row: str(row["event_time"])):
        ids[_shopper(row)].append(("user_id" in row, "visitor_id" in row))
    kinds = Counter(frozenset(seen) for seen in ids.values())
    customer, stranger, both = (True, False), (False, True), (True, True)
    share = sum(stranger in seen or both in seen for seen in ids.values()) / len(ids)
    assert 0.15 < share < 0.25
    assert all((customer in seen) == (set(seen) == {customer}) for seen in ids.values())
    moves = [seen for seen in ids.values() if {stranger, both} <= set(seen)]
    assert len(moves) > 5
    assert all(seen == sorted(seen) for seen in moves), "nobody is a stranger again"
    assert kinds[frozenset({stranger})] > kinds[frozenset({stranger, both})]


def test_every_event_is_of_one_market_and_most_of_one_country(shop: Shop) -> None:
    markets = Counter(row["market"] for row in _good_rows(shop[0]))
    assert set(markets) == {"PL", "DE", "CZ"}
    assert markets["PL"] > markets["DE"] > markets["CZ"] > 0


@pytest.mark.parametrize("kind", ["view", "impression"])  # impressions follow popularity alone
def test_popularity_is_skewed(shop: Shop, kind: str) -> None:
    seen = Counter(row["item_id"] for row in _good_rows(shop[0]) if row["event_type"] == kind)
    counts = sorted(seen.values(), reverse=True)
    assert sum(counts[: OPTIONS.items // 10]) > 0.33 * sum(counts)
    assert counts[0] > 10 * np.median(counts)


def test_taste_of_the_first_days_foretells_the_later_ones(shop: Shop) -> None:
    into, _ = shop
    category = {row["item_id"]: row["category"] for row in map(json.loads, _lines(into, "items"))}
    early: dict[str, Counter[str]] = defaultdict(Counter)
    late: list[tuple[str, str]] = []
    for row in _good_rows(into):
        if row["event_type"] == "view":
            shelf = category[row["item_id"]]
            if row["event_time"][:10] < str(OPTIONS.day(3)):
                early[_shopper(row)][shelf] += 1
            else:
                late.append((_shopper(row), shelf))
    known = [(early[user].most_common(1)[0][0], shelf) for user, shelf in late if user in early]
    hits = np.mean([favourite == shelf for favourite, shelf in known])
    shuffled = np.random.default_rng(0).permutation([favourite for favourite, _ in known])
    chance = np.mean([guess == shelf for guess, (_, shelf) in zip(shuffled, known, strict=True)])
    assert hits > 3 * chance


def test_faults_option_reads_kinds_and_rates() -> None:
    assert parse_faults("none") == {}
    assert parse_faults("default") == DEFAULT_FAULTS
    assert parse_faults("too_old=0.1, duplicate=0.2") == {"too_old": 0.1, "duplicate": 0.2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--events", "0"], "events is 0"),
        (["--days", "0"], "days is 0"),
        (["--users", "-3"], "users is -3"),
        (["--items", "5"], "items is 5"),
        (["--seed", "-1"], "seed is -1"),
        (["--first-day", "1999-01-01"], "first day is 1999-01-01"),
        (["--faults", "rain=0.1"], "No fault is called 'rain'"),
        (["--faults", "duplicate=often"], "is not kind=rate"),
        (["--faults", "duplicate=1.5"], "has rate 1.5"),
        (["--faults", "duplicate=nan"], "has rate nan"),
        (["--faults", "duplicate=0.6,too_old=0.6"], "add up to 1.2"),
    ],
)
def test_bad_options_end_with_one_line_and_code_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "shop"), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "shop").exists()


def test_more_days_than_events_and_faults_on_every_row(tmp_path: Path) -> None:
    faults = {"duplicate": 0.5, "unknown_column": 0.5}
    truth = simulate(tmp_path, SimulationOptions(events=3, days=5, faults=faults))
    assert truth.clean == sum(1 for _ in _good_rows(tmp_path)) == 3
    assert truth.lines == sum(1 for _ in _lines(tmp_path))
