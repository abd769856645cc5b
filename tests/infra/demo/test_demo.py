"""The demo's data and what it says at the end; the whole of it is run by .ci/run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.demo.data import Delivery, deliver_files, deliver_simulation
from infra.demo.progress import counts_line, last_error
from infra.demo.summary import is_live, summary
from infra.errors import InputError, SettingsError
from infra.ledger.run_records import RunRecords
from infra.records.release import Judgement, PublishRecord, VerdictRecord
from infra.settings import Settings
from infra.shop.historic_shops import ends_at, load_demo_shops
from infra.storage import Storage
from infra.stores.numbered import key
from tests.conftest import SECRET

SIMULATE = "jobs.simulate_shop"
RUN = "run=manual__2026"
NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder of two small files, named like a known source."""
    folder = tmp_path / "online_retail"
    folder.mkdir()
    (folder / "1.csv").write_text("one")
    (folder / "2.csv").write_text("two")
    (folder / ".hidden").write_text("not data")
    return folder


def landed(shop: Storage) -> dict[str, str]:
    folder = Path(shop.landing) / "events" / "online_retail"
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_files_are_copied_once(shop: Storage, data: Path) -> None:
    delivery = Delivery.of_files(data)
    assert deliver_files(data, delivery, shop.settings) == 2
    (data / "3.csv").write_text("three")
    assert deliver_files(data, delivery, shop.settings) == 1, "only what is new"
    assert landed(shop) == {"1.csv": "one", "2.csv": "two", "3.csv": "three"}


def test_a_file_cut_short_by_a_kill_is_never_seen(
    shop: Storage, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(source: Path, target: Path) -> None:
        target.write_text(source.read_text()[:1])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("infra.demo.data.shutil.copyfile", killed)
        with pytest.raises(KeyboardInterrupt):
            deliver_files(data, Delivery.of_files(data), shop.settings)
    assert [name for name in landed(shop) if not name.startswith(".")] == []
    deliver_files(data, Delivery.of_files(data), shop.settings)
    assert landed(shop) == {"1.csv": "one", "2.csv": "two"}


def test_an_unknown_source_is_named_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "my_shop").mkdir()
    (tmp_path / "my_shop/1.csv").write_text("x")
    with pytest.raises(InputError, match=r"my_shop has no sources.yaml.*\(known: online_retail\)"):
        Delivery.of_files(tmp_path / "my_shop")


def test_an_empty_and_a_missing_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "online_retail").mkdir()
    with pytest.raises(InputError, match="There is no file in"):
        Delivery.of_files(tmp_path / "online_retail")
    with pytest.raises(InputError, match="does not exist"):
        Delivery.of_files(tmp_path / "nowhere")


def test_the_demo_shops_are_what_the_settings_allow() -> None:
    assert load_demo_shops()
    for source, shop in load_demo_shops().items():
        named = {
            name.removeprefix("CATWALK_").lower(): text
            for name, text in shop.settings(source).items()
        }
        settings = Settings(user_key_secret=SECRET, **named)  # type: ignore[arg-type]
        assert settings.sources == (source,)
        assert named["sources_file"] == "jobs/sources.yaml", "not one of an earlier run"
        assert ends_at(settings) == shop.as_of
        assert settings.holdout_days < settings.training_window_days


def test_a_shop_that_trades_has_no_end(shop: Storage) -> None:
    assert ends_at(shop.settings) is None


def test_the_demo_shops_file_is_strict(tmp_path: Path) -> None:
    file = tmp_path / "demo_shops.yaml"
    file.write_text("mine: {as_of: 2011-12-10T00:00:00Z, holdout: 3}")
    with pytest.raises(SettingsError, match=r"'mine'.*(holdout|training_window_days)"):
        load_demo_shops(file)


def test_a_simulation_is_made_once_and_ended_yesterday(shop: Storage) -> None:
    first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    (Path(shop.landing) / "simulation.json").write_text(json.dumps({"files": {}, "lines": 0}))
    assert deliver_simulation(shop.settings, SIMULATE) == Delivery("shop", first)
    (shop.settings.home / "simulation.json").write_text('{"first_day": "2026-11-01"}')
    tomorrow = deliver_simulation(shop.settings, SIMULATE)
    assert tomorrow.as_of == datetime(2026, 11, 15, tzinfo=UTC), "what stands there decides"


def test_a_simulation_that_fails_says_why(shop: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    (Path(shop.landing) / "events/shop").mkdir(parents=True)
    (Path(shop.landing) / "events/shop/own.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="The simulation failed: .*holds shop files") as told:
        deliver_simulation(shop.settings, SIMULATE)
    assert told.value.fact[-1] == "."
    assert told.value.fact[-2] != "."


@pytest.mark.parametrize(("printed", "told"), [("disk is full", "disk is full"), ("", "status 9")])
def test_the_last_words_of_a_simulation_are_a_sentence(
    shop: Storage, monkeypatch: pytest.MonkeyPatch, printed: str, told: str
) -> None:
    done = subprocess.CompletedProcess([], 9, "", printed)
    monkeypatch.setattr("infra.demo.data.subprocess.run", lambda *_, **__: done)
    with pytest.raises(InputError, match=rf"{told}\. Empty "):
        deliver_simulation(shop.settings, SIMULATE)


def test_a_simulation_with_a_hole_is_made_again(
    shop: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = Path(shop.landing)
    (landing / "own.jsonl").write_text("not the simulator's")
    names = ("1.jsonl", "2.jsonl")

    def simulate(program: str, into: Path, first: date) -> None:
        assert [path.name for path in into.iterdir() if path.is_file()] == ["own.jsonl"]
        for name in names:
            (into / name).write_text("{}")
        truth = {"files": dict.fromkeys(names, 1), "lines": 2}
        (into / "simulation.json").write_text(json.dumps(truth))

    monkeypatch.setattr("infra.demo.data._simulate", simulate)
    deliver_simulation(shop.settings, SIMULATE)
    (landing / "2.jsonl").unlink()
    deliver_simulation(shop.settings, SIMULATE)
    assert (landing / "2.jsonl").exists()
    deliver_simulation(
        shop.settings, SIMULATE
    )  # would fail in `simulate` if it were made once more


def verdict(outcome: str) -> VerdictRecord:
    judged = Judgement(
        metric="ndcg_at_10",
        value=0.1101,
        limit="at least 0.02",
        result="met" if outcome == "release" else "missed",
        outcome=outcome,
        reason="",
        why="order is what customers notice",
    )
    fields = {
        "run": RUN,
        "at": NOW,
        "outcome": outcome,
        "candidate": "popularity",
        "thresholds_sha256": "0" * 64,
        "batches": (),
        "judgements": (judged,),
    }
    rest = {
        name: "0" * 64
        for name, about in VerdictRecord.model_fields.items()
        if about.is_required() and name not in fields
    }
    return VerdictRecord.model_validate(fields | rest)


def published(number: int, run: str = RUN) -> PublishRecord:
    return PublishRecord(
        run=run,
        at=NOW,
        number=number,
        version=f"v{number}",
        manifest_sha256="0",
        candidate="popularity",
    )


def point(shop: Storage, record: PublishRecord) -> None:
    shop.published.create(key("live", record.number), record.model_dump_json().encode())


def table(shop: Storage, name: str, rows: Sequence[Mapping[str, object]]) -> None:
    folder = Path(shop.lake.address(name, RUN))
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), folder / "part-0.parquet")
    shop.lake.commit(name, RUN, {})


def test_only_the_newest_pointer_makes_a_run_live(shop: Storage) -> None:
    records = RunRecords(shop, RUN)
    point(shop, published(9, "run=before"))
    assert not is_live(shop, RUN), "nothing was published"
    records.save_published(published(10))
    assert not is_live(shop, RUN), "the record alone is no pointer"
    point(shop, published(10))
    assert is_live(shop, RUN)
    point(shop, published(11, "run=other"))
    assert not is_live(shop, RUN), "another run went live since"


def test_the_summary_of_a_release_shows_what_users_see(shop: Storage) -> None:
    records = RunRecords(shop, RUN)
    records.save_verdict(verdict("release"))
    records.save_published(published(1))
    point(shop, published(1))
    users = [
        {"placement": name, "user_key": f"{n:032x}", "item_ids": ids, "scores": [2.0, 1.0]}
        for n in range(9)
        for name, ids in (("newsletter", ["2", "1"]), ("home", ["1", "2"]))
    ]
    table(shop, "recommendations", users)
    table(shop, "items", [{"item_id": "1", "title": "Blue dress"}, {"item_id": "2", "title": None}])
    lines = summary(shop, RUN, "90 s").splitlines()
    assert "Verdict on popularity: release" in lines
    assert any(
        line.split("  ")[1:] and "0.1101" in line and "at least 0.02" in line and "Pass" in line
        for line in lines
    )
    assert sum("Blue dress, 2" in line for line in lines) == 5
    assert any(line.endswith(f"reports/{RUN}/index.html") for line in lines)


def test_the_summary_of_a_rejection_shows_no_examples(shop: Storage) -> None:
    RunRecords(shop, RUN).save_verdict(verdict("reject"))
    text = summary(shop, RUN, "90 s")
    assert "Fail" in text
    assert "Nothing was published by this run" in text
    assert "Would see" not in text


def test_the_summary_of_a_run_that_ended_early_says_so(shop: Storage) -> None:
    assert "ended before a verdict" in summary(shop, RUN, "9 s")


def test_counts_in_a_line() -> None:
    assert counts_line(None) == counts_line(3) == ""
    assert counts_line({"rows": 1234, "share": 0.5, "ok": True}) == "rows 1,234, share 0.5, ok True"
    assert len(counts_line({str(n): "x" * 50 for n in range(9)})) == 100


def test_the_last_error_of_a_log() -> None:
    raised = {"level": "error", "error_detail": [{"exc_type": "E", "exc_value": "It broke. Mend."}]}
    assert last_error([raised, {"level": "info", "event": "bye"}]) == "It broke. Mend."
    assert last_error([{"level": "error", "event": "killed\nmore"}]) == "killed"
    assert last_error([]) == "It left no error in its log."
