"""What stands on top of Reports, the page Quality over time, and the links that people follow."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from infra.airflow import pages as airflow_pages
from infra.airflow.report_links import EXPERIMENT_DAG, ROLL_BACK_DAG
from infra.ledger.live_pointer import point
from infra.ledger.record_files import RecordFiles
from infra.places import COMPARISON, TRACKED
from infra.records.evaluation import ExperimentRecord
from infra.storage import Storage
from tests.infra.airflow.test_pages import analyst, pages, web  # noqa: F401 - fixtures
from tests.infra.report.past import ASKED_IN, WHY, write_past
from tests.infra.report.test_report import EVALUATION, published, seen
from tests.infra.report.test_report_history import run_at

LEFT = f"Version v2 was rolled back on 24 Nov 2026, 13:30 UTC by anna: {WHY}"
FORM = f"/dags/release_candidate/runs/{quote(ASKED_IN, safe='')}/tasks/approve_release"


@pytest.fixture
def reader(analyst: TestClient, shop: Storage) -> TestClient:  # noqa: F811
    """Return the browser of a viewer on a shop with a past."""
    write_past(shop)
    return analyst


def row_of(page: str, number: int) -> str:
    """Return the row of a run in the list."""
    table = page.split("<table")[1]
    return next(row for row in table.split("<tr") if f"/runs/{run_at(number)}" in row)


def test_reports_say_what_is_live_since_when_and_by_whom(reader: TestClient) -> None:
    page = reader.get("/catwalk/").text
    now = seen(page.split('aria-labelledby="now-title"')[1].split("</section>")[0])
    assert "lightfm, version v1, since 24 Nov 2026, 13:30 UTC" in now
    assert f"gone back to by anna: {WHY}" in now
    assert "NDCG@10 of the last runs" in now
    assert 'class="judged"' in page and 'class="limit"' in page and 'class="stopped"' in page
    assert 'class="tag">live<' in row_of(page, 0)


def test_a_roll_back_shows_on_the_run_and_the_version_that_it_left(reader: TestClient) -> None:
    assert LEFT in row_of(reader.get("/catwalk/").text, 1)
    assert LEFT in seen(reader.get(f"/catwalk/runs/{run_at(1)}").text)
    decided = reader.get("/catwalk/decisions").text.split("<tr")
    assert LEFT in next(row for row in decided if "No. 2:" in row)
    back = next(row for row in decided if "No. 3:" in row)
    assert "Rolled back to" in back and "from v2" in back and LEFT not in back


def test_nothing_changed_is_said_where_a_run_read_nothing_new(reader: TestClient) -> None:
    said = "Nothing changed"
    page = reader.get("/catwalk/").text
    assert said in row_of(page, 2) and said not in row_of(page, 1)
    assert said in reader.get(f"/catwalk/runs/{run_at(2)}").text
    assert said not in reader.get(f"/catwalk/runs/{run_at(1)}").text


def test_a_release_that_no_person_decided_is_said_to_be_one(
    analyst: TestClient,  # noqa: F811
    shop: Storage,
) -> None:
    point(shop, published())
    text = seen(analyst.get("/catwalk/").text)
    assert "released without a person: no threshold of models/release.yaml was missed." in text


def test_the_metrics_that_have_limits_come_first_and_others_are_folded(reader: TestClient) -> None:
    page = reader.get("/catwalk/quality").text
    limited, folded = page.split("<details", 1)
    folded = folded.split("</details>")[0]
    assert "?metric=ndcg_at_10" in limited and "?metric=user_coverage" not in limited
    assert "?metric=user_coverage" in folded and "2 other metrics" in folded
    assert " open" not in folded.split(">")[0]
    chosen = reader.get("/catwalk/quality?metric=user_coverage").text
    assert "<details open>" in chosen, "what is chosen is in sight"


def test_quality_over_time_has_every_run_as_a_curve_and_as_numbers(reader: TestClient) -> None:
    page = reader.get("/catwalk/quality").text
    rows = page.split("<tbody")[1].split("<tr")[1:]
    assert [run_at(number) in row for row, number in zip(rows, (4, 3, 2, 1, 0), strict=False)]
    first, second, stopped = rows[4], rows[3], rows[1]
    assert "0.0610" in first and "0.0580" in first and "0.05<" in first and "popularity" in first
    assert "v1 went live" in first and "v2 went live" in second
    assert "Rolled back from v2 to v1 by anna" in second and "Rolled back" not in first
    assert "Stopped at the gate" in stopped and "—" in stopped
    for drawn in ("judged", "live", "other", "limit", "released", "stopped", "back"):
        assert f'class="{drawn}"' in page, drawn
    coverage = reader.get("/catwalk/quality?metric=user_coverage").text
    assert "97.0%" in coverage and "0.0610" not in coverage
    assert "0.0610" in reader.get("/catwalk/quality?metric=<script>").text, "as if none was asked"


def test_a_question_links_to_its_form(reader: TestClient) -> None:
    link = f'href="{FORM}/required_actions"'
    assert link in reader.get("/catwalk/").text
    assert link in reader.get(f"/catwalk/runs/{run_at(4)}").text
    assert link not in reader.get(f"/catwalk/runs/{run_at(1)}").text


def test_a_stopped_gate_links_to_the_form_that_decides(
    reader: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = 'href="/dags/resolve_batch"'
    assert link in reader.get(f"/catwalk/runs/{run_at(3)}").text
    assert link not in reader.get(f"/catwalk/runs/{run_at(1)}").text
    assert link not in reader.get("/catwalk/").text, "no batch waits"
    monkeypatch.setattr(airflow_pages, "waiting_batches", lambda storage: ("batch=shop-000012",))
    page = reader.get("/catwalk/").text
    assert link in page and "batch=shop-000012" in page


def test_a_run_names_the_pages_that_mlflow_has_of_it(reader: TestClient, shop: Storage) -> None:
    page = "#/experiments/1/runs/abc"
    assert page not in reader.get(f"/catwalk/runs/{run_at(1)}").text
    RecordFiles(shop.reports, run_at(1)).write_mapping(TRACKED, {"lightfm": page})
    assert f"http://127.0.0.1:5000/{page}" in reader.get(f"/catwalk/runs/{run_at(1)}").text


def test_a_roll_back_has_its_tab(reader: TestClient) -> None:
    tab = f"/catwalk/dags/{ROLL_BACK_DAG}/runs"
    assert "Rolled back to v1" in reader.get(f"{tab}/back").text
    assert LEFT in seen(reader.get(f"{tab}/back").text)
    assert "Nothing rolled back" in reader.get(f"{tab}/other").text


def test_an_experiment_has_its_tab(reader: TestClient, shop: Storage) -> None:
    tab = f"/catwalk/dags/{EXPERIMENT_DAG}/runs/tried"
    assert "Nothing compared yet" in reader.get(tab).text
    facts = EVALUATION.model_dump(include={"at", "cut", "users", "items", "train_interactions"})
    costs = {"training_minutes": 1.0, "peak_memory_mb": 10.0}
    models = [
        model.model_copy(
            update={"intervals": {"ndcg_at_10": (0.03, 0.08)}, "metrics": model.metrics | costs}
        )
        for model in EVALUATION.scores[:2]
    ]
    named = {"experiment": "experiments/tried", "run": run_at(1), "candidate": "lightfm"}
    record = ExperimentRecord.model_validate({**facts, **named, "share": 0.5, "scores": models})
    RecordFiles(shop.reports, "experiments/tried").write(COMPARISON, record)
    page = reader.get(tab)
    assert "Side by side" in page.text and page.status_code == 200
    assert "script-src 'none'" in page.headers["content-security-policy"]


def test_a_pointer_that_cannot_be_read_takes_down_no_list(
    reader: TestClient, shop: Storage
) -> None:
    shop.published.write("live/0000000003.json", b"{")
    page = reader.get("/catwalk/")
    assert page.status_code == 200 and "Nobody can tell what is live" in page.text
    assert run_at(1) in page.text


def test_times_stand_in_the_zone_of_the_shop_beside_utc(
    reader: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATWALK_TIME_ZONE", "Asia/Tokyo")
    assert "22:30 JST (13:30 UTC)" in reader.get("/catwalk/").text
