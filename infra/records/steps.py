"""The steps of a retraining, in their order: who owns each, what it leaves, what red means.

A step is a task of `dags/retrain_recommender.py`, or of `dags/release_candidate.py` where a person
decides. The report, the pages inside Airflow and publishing take their lists from here, and tests
hold the DAGs and the documents to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.places import (
    APPROVAL,
    EVALUATION,
    INGEST,
    PUBLISHED,
    REFIT,
    RULES,
    SERVING,
    VERDICT,
    gate_file,
)

ENGINEERING, SCIENCE, PRODUCT = "data-engineering", "data-science", "product"


@dataclass(frozen=True)
class Step:
    """One step of a retraining.

    Attributes
    ----------
    task : str
        The id of its task.
    owner : str
        The team.
    red : str
        What it means if the task fails.
    record : str
        The file it leaves below the folder of the run in the reports; empty for none.
    section : str
        The part of the report that shows the step; empty for none.
    name : str
        What the report calls the step, if it is a station of the strip on top of the page.
    """

    task: str
    owner: str
    red: str
    record: str = ""
    section: str = ""
    name: str = ""

    @property
    def is_gate(self) -> bool:
        """Tell whether the step is a gate; its section is then the name of the gate."""
        return self.task.startswith("gate_")


def _gate(table: str, red: str = "a table of this run broke a critical rule") -> Step:
    return Step(f"gate_{table}", ENGINEERING, red, gate_file(table), table, f"{table} gate")


STEPS = (
    Step("keep_rules", SCIENCE, "a file that people edit cannot be used", RULES),
    Step(
        "ingest_events",
        ENGINEERING,
        "nothing landed, or a file cannot be read",
        INGEST,
        "ingest",
        "ingest",
    ),
    _gate("events", "a batch broke a critical rule"),
    Step("build_interactions", ENGINEERING, "no accepted event in the window, or Spark ended"),
    _gate("items"),
    _gate("interactions"),
    _gate("steps"),
    Step("train", SCIENCE, "Spark or the memory ended, or nothing can be learnt"),
    Step(
        "evaluate",
        SCIENCE,
        "nobody in the hold-out, or a model or the tables were changed since",
        EVALUATION,
        "evaluation",
        "evaluation",
    ),
    Step(
        "judge_release",
        PRODUCT,
        "no candidate meets the thresholds, or judging broke",
        VERDICT,
        "release",
        "release verdict",
    ),
    Step("track_candidates", SCIENCE, "MLflow does not answer"),
    Step("choose_candidate", PRODUCT, "the candidate is not offered, or you may not approve"),
    Step(
        "refit_winner",
        SCIENCE,
        "fitted on all data, the winner recommends other things",
        REFIT,
        "release",
    ),
    Step("recommend_users", ENGINEERING, "Spark ended"),
    _gate("recommendations"),
    Step("build_bundle", SCIENCE, "model, lists and verdict do not belong together"),
    Step(
        "check_serving",
        SCIENCE,
        "a fresh process could not answer, or took too much time or memory",
        SERVING,
    ),
    Step("ask_person", PRODUCT, "Airflow could not start `release_candidate`"),
    Step(
        "approve_release",
        PRODUCT,
        "a person rejected, or nobody answered in time",
        APPROVAL,
        "release",
    ),
    Step(
        "tell_approvers",
        PRODUCT,
        "its worker was lost; nobody was told of the question, which waits",
    ),
    Step(
        "publish",
        PRODUCT,
        "the log says what is against it, or another publisher won",
        PUBLISHED,
        "published",
        "publishing",
    ),
    Step("follow_pointer", PRODUCT, "MLflow failed; the new version **is live**"),
    Step("retire", PRODUCT, "storage failed; the new version **is live**, old ones wait"),
    Step("replace_question", PRODUCT, "Airflow or storage failed; an older question still waits"),
)

STATIONS = {step.section: step.name for step in STEPS if step.name}  # of the strip, by section
SECTIONS = {step.task: step.section for step in STEPS if step.section}  # by task
GATES = tuple(step.section for step in STEPS if step.is_gate)
# runs of earlier versions have no record of these; `publish` asks for one where the table is there
LATER_GATES = ("steps",)
