"""Decide on a batch of events that its gate stopped: let it in, or leave it out for good.

A stopped batch stops every run of `retrain_recommender` until somebody decides here. The list of
those that wait is in the report of the stopped run; `make waiting` prints it too.

| field | what to write |
|---|---|
| `batch` | its name, such as `batch=shop-000012` |
| `decision` | `accept`: the next run learns from it. `discard`: no run ever does |
| `reason` | why; it is kept beside your name in the decision |

The decision is about the batch as the gate checked it. Red means that nothing was decided: the
batch is unknown or does not wait, or the reason is empty. **Safe to rerun.**
Owner: data-engineering.
"""

from airflow.sdk import Param

from infra.airflow.choices import offered, waiting_batches
from infra.airflow.defaults import (
    ASKS_FOR_A_USER,
    Counts,
    Owner,
    Run,
    Tag,
    among,
    dag_by_hand,
    form,
    reason_field,
    step,
    triggered_by,
)

WAITING = offered(waiting_batches)


@dag_by_hand(
    __doc__,
    Tag.INGESTION,
    batch=Param(
        type="string",
        minLength=1,
        title="Batch",
        description="The stopped batch, such as batch=shop-000012. Waiting a minute ago: "
        f"{', '.join(WAITING) or 'none'}. {ASKS_FOR_A_USER}",
        **among(WAITING, fill=len(WAITING) == 1),
    ),
    decision=Param(
        "discard",
        enum=["discard", "accept"],
        values_display={
            "discard": "discard: no run ever learns from it",
            "accept": "accept: the next run learns from it as it is",
        },
        title="Decision",
        description="It counts for good. The rows stay in the lake either way.",
    ),
    reason=reason_field(),
)
def resolve_batch() -> None:
    """Wire one decision."""

    @step(Owner.DATA_ENGINEERING, task_id="resolve_batch")
    def write_decision(run: Run) -> Counts:
        from expectations.resolve_batch import resolve_batch

        answer = form()
        words = answer["batch"], answer["decision"], triggered_by(), answer["reason"]
        return resolve_batch(run.storage, *words, run=run.key)

    write_decision()


resolve_batch()
