"""What the how-to pages say to add works, word for word, in a copy of the repository."""

from __future__ import annotations

from pathlib import Path

import yaml

from expectations.checking.suite import Limit
from models.release.thresholds import parse_thresholds
from tests.conftest import SECRET
from tests.docs.clone import GROUP, typed
from tests.docs.commands import blocks
from tests.models.conftest import RUN

pytestmark = GROUP
SHOP = f"CATWALK_HOME=var/name CATWALK_USER_KEY_SECRET='{SECRET}'"
OPENED = "from infra.settings import load_settings; from infra.storage import Storage; "


def python(program: str, clone: Path) -> str:
    """Run a program in the copy and return the last line it prints.

    It is a file: without one PySpark ends the process when Great Expectations imports it.
    """
    (clone / "program.py").write_text(program, encoding="utf-8")
    done = typed(f"{SHOP} .venv/bin/python program.py", clone)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_the_gate_of_the_page_checks_a_run_and_stands_in_the_dag(clone: Path) -> None:
    program = f"from expectations.history import gate_history; {OPENED}"
    checked = f"record = gate_history(Storage(load_settings()), {RUN!r}); "
    told = "print([(check.name, check.value, check.passed) for check in record.checks])"
    assert python(program + checked + told, clone) == str(
        [("wrong_columns", 0.0, True), ("users", 60.0, True), ("unusable_weights", 0.0, True)]
    )
    dag = "from dags.retrain_recommender import retrain_recommender as dag; made = dag(); "
    told = "print(sorted(made.get_task('gate_history').downstream_task_ids))"
    assert python(dag + told, clone) == "['train']"


def test_the_metric_of_the_page_is_measured_of_every_model(clone: Path) -> None:
    examples = "import doctest; from models.metrics import lists; print(doctest.testmod(lists))"
    assert "failed=0" in python(examples, clone)
    program = f"from models.evaluation.evaluate import evaluate; {OPENED}"
    judged = f"scores = evaluate(Storage(load_settings()), {RUN!r}).scores; "
    told = "print(sorted({score.metrics['different_items'] > 1 for score in scores}))"
    assert python(program + judged + told, clone) == "[True]"
    known = "from models.metrics.ranking import METRICS; print('different_items' in METRICS)"
    assert python(known, clone) == "True"


def test_the_dag_of_the_page_counts(clone: Path) -> None:
    made = "from dags.count_batches import count_batches as dag; made = dag(); "
    told = "print(made.dag_id, made.task_ids, sorted(made.tags))"
    assert python(made + told, clone) == "count_batches ['count_accepted'] ['ingestion']"


def test_the_limit_and_the_thresholds_that_are_shown_are_valid() -> None:
    [limit] = blocks("change_a_limit.md")
    assert Limit.model_validate(yaml.safe_load(limit)["event_type_drift"]).least_events == 1000
    [thresholds] = blocks("set_release_thresholds.md")
    rules = parse_thresholds(thresholds.encode(), "the page")
    assert set(rules.thresholds) == {"ndcg_at_10"}


def test_what_the_pages_add_keeps_the_house_rules(clone: Path) -> None:
    rules = " ".join(
        f"tests/test_house_{rule}.py" for rule in ("files", "rules", "settings", "words")
    )
    done = typed(f".venv/bin/python -m pytest {rules}", clone)
    assert done.returncode == 0, done.stdout + done.stderr
