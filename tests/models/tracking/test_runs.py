"""MLflow remembers every training once, on a real SQLite registry."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from infra.errors import SettingsError, StorageError
from infra.ledger.record_files import RecordFiles
from infra.ledger.run_records import RunRecords
from infra.places import PAGE, TRACKED
from infra.records.evaluation import EvaluationRecord, Learning, Score
from infra.schemas import INTERACTIONS
from infra.storage import Storage
from models.candidates import load_candidates
from models.publishing.publish import publish
from models.tracking import registry
from models.tracking.client import RETRAINING, client_of, experiment_id
from models.tracking.origin import commit_of_code
from models.tracking.runs import Evaluated, track_candidates, track_scores
from tests.models.conftest import AS_OF, RUN, WriteRun, prepare_bundle

pytestmark = pytest.mark.usefixtures("mlflow_tables")
SVG = "{http://www.w3.org/2000/svg}"
NAMES = {candidate.name for candidate in load_candidates()}


def test_a_rerun_doubles_nothing_and_the_alias_moves(shop: Storage, write_run: WriteRun) -> None:
    assert track_candidates(shop, RUN) == {}, "a run that was never evaluated has nothing to track"
    run = write_run()
    prepare_bundle(shop, run)
    publish(shop, run)
    shop.reports.write(f"{run}/{PAGE}", b"<h1>report</h1>")

    first = track_candidates(shop, run)
    number = registry.follow_pointer(shop)
    assert track_candidates(shop, run) == first and set(first) == NAMES
    assert registry.follow_pointer(shop) == number

    with client_of(shop.settings) as client:
        found = client.search_runs([experiment_id(client, shop.settings)])
        assert len(found) == len(NAMES)
        tracked = client.get_run(first["lightfm_hybrid"])
        assert tracked.data.params["components"] and tracked.data.metrics["ndcg_at_10"] > 0
        history = client.get_metric_history(first["lightfm_hybrid"], "ndcg_at_10")
        assert len(history) == 1, "three calls with one result are one measurement"
        artifacts = {file.path for file in client.list_artifacts(first["lightfm_hybrid"])}
        assert artifacts == {"index.html", "evaluation.json"}
        assert (shop.settings.home / "mlflow/artifacts").is_dir()
        assert registry._alias(client, registry.CHAMPION) == number
        assert registry._alias(client, registry.PREVIOUS) is None


def test_a_run_and_its_pages_in_mlflow_name_each_other(shop: Storage, write_run: WriteRun) -> None:
    run = write_run()
    prepare_bundle(shop, run)
    report = "http://airflow.example/dags/retrain_recommender/runs/r/plugin/catwalk-report"
    tracked = track_candidates(shop, run, report)
    pages = RecordFiles(shop.reports, run).read_mapping(TRACKED)
    assert pages is not None and set(pages) == set(tracked) == NAMES
    with client_of(shop.settings) as client:
        for name, run_id in tracked.items():
            found = client.get_run(run_id)
            assert report in found.data.tags["mlflow.note.content"]
            assert pages[name] == f"#/experiments/{found.info.experiment_id}/runs/{run_id}"


def test_a_run_says_where_it_comes_from_and_what_it_is(shop: Storage, write_run: WriteRun) -> None:
    run = write_run()
    prepare_bundle(shop, run)
    tracked = track_candidates(shop, run)
    with client_of(shop.settings) as client:
        experiment = client.get_experiment_by_name(RETRAINING)
        found = {name: client.get_run(run_id) for name, run_id in tracked.items()}
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert len({each.info.run_name for each in found.values()}) == len(found)
    (used,) = found["lightfm_hybrid"].inputs.dataset_inputs
    assert used.dataset.name == f"interactions {run}" and used.tags[0].value == "training"
    assert json.loads(used.dataset.source)["uri"] == shop.lake.address("interactions", run)
    assert {"rows", "cut", "as_of"} <= set(json.loads(used.dataset.profile))
    assert len(json.loads(used.dataset.schema)["mlflow_colspec"]) == len(INTERACTIONS.columns)
    tags = found["lightfm_hybrid"].data.tags
    assert (tags["catwalk.tables"], tags["catwalk.placement"]) == (run, "home")
    assert tags.get("mlflow.source.git.commit", "") == commit_of_code()


def test_a_curve_is_written_by_its_steps_and_importances_as_a_picture(shop: Storage) -> None:
    features = {"<b>": 0.75, **{f"feature {number:02}": 0.01 for number in range(25)}}
    learning = Learning(curve=(0.1, 0.3, 0.2) * 300, importances=features)
    score = Score(name="m", role="candidate", parameters={}, metrics={}, learning=learning)
    for _ in range(2):  # written again, nothing is there twice
        tracked = track_scores(shop, "tries", Evaluated(RUN, AS_OF, RUN, {}), [score])["m"]
    with client_of(shop.settings) as client:
        points = client.get_metric_history(tracked, "learning_ndcg_at_10")
        assert {point.step: point.value for point in points}[2] == 0.3 and len(points) == 900
        picture = Path(client.download_artifacts(tracked, "importances.svg")).read_text()
    texts = [each.text for each in ElementTree.fromstring(picture).iter(f"{SVG}text")]
    assert texts[1:3] == ["<b>", "75.0%"] and texts[-2:] == ["6 others", "6.0%"]


def test_other_numbers_are_added_and_other_parameters_are_another_run(shop: Storage) -> None:
    def track(components: int | None, ndcg: float) -> str:
        parameters = {} if components is None else {"components": components}
        score = Score(
            name="m", role="candidate", parameters=parameters, metrics={"ndcg_at_10": ndcg}
        )
        record = EvaluationRecord(
            run=RUN,
            at=AS_OF,
            cut=AS_OF,
            users=1,
            items=1,
            train_interactions=1,
            holdout_interactions=1,
            scores=(score,),
        )
        RunRecords(shop, RUN).save_evaluation(record)
        return track_candidates(shop, RUN)["m"]

    first = track(8, 0.1)
    assert track(8, 0.1) == first == track(8, 0.2)
    second = track(16, 0.3)
    assert second != first and track(16, 0.3) == second
    assert track(None, 0.3) not in (first, second), "a parameter that is gone is kept nowhere"
    with client_of(shop.settings) as client:
        values = [point.value for point in client.get_metric_history(first, "ndcg_at_10")]
        assert sorted(values) == [0.1, 0.2]
        assert client.get_run(first).data.params == {"components": "8"}
        assert client.get_run(second).data.params == {"components": "16"}


def test_a_server_that_refuses_is_a_storage_error(shop: Storage) -> None:
    settings = shop.settings.model_copy(update={"mlflow_uri": "nonsense://nowhere"})
    with (
        pytest.raises(StorageError, match="CATWALK_MLFLOW_URI"),
        client_of(settings) as client,
    ):
        client.get_experiment_by_name("x")


def test_an_mlflow_is_of_one_shop_and_its_trash_is_not_the_end(shop: Storage) -> None:
    shared = shop.settings.model_copy(
        update={"home": shop.settings.home / "elsewhere", "shop": "shoes"}
    )
    with client_of(shared) as client:
        number = experiment_id(client, shared)
        client.delete_experiment(number)
        with pytest.raises(SettingsError, match=r"'shoes', and this is 'hats'.*CATWALK_MLFLOW_URI"):
            experiment_id(client, shared.model_copy(update={"shop": "hats"}))
        assert experiment_id(client, shared) == number
        client.create_run(number)
        assert experiment_id(client, shop.settings) == number, "a home may be moved"
