"""Put an earlier version of the recommender live again, at once.

For the moment when customers see something wrong: the version is checked byte by byte, a fresh
process must answer from it, then one pointer moves. It takes seconds, and trains nothing.

| field | what to write |
|---|---|
| `version` | `previous`: the last release not rolled back; or a version of the page Decisions |
| `reason` | why; it is kept beside your name in the decision, for good |

What is rolled back from does not go live again without a person: `publish` refuses it, also under
another name. The next retraining is judged against what is live then and may be released as usual;
pause `retrain_recommender` to prevent that. To take a roll-back back, run this for the other
version. Red: the log says why, and the page Decisions what is live now; if only `follow_pointer` is
red, the pointer has moved, and clearing that task mends MLflow. Safe to rerun. Owner: product.
"""

from airflow.sdk import Param, chain

from infra.airflow.choices import earlier_versions, offered
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
    step_of,
    triggered_by,
)


@dag_by_hand(
    __doc__,
    Tag.RELEASE,
    version=Param(
        "previous",
        type="string",
        minLength=1,
        title="To which version",
        description="previous is the last release that nobody rolled back from. Clear the field, "
        "and it offers the versions that were live before; the page Decisions says more. "
        f"{ASKS_FOR_A_USER}",
        **among(["previous", *offered(earlier_versions)]),
    ),
    reason=reason_field(),
)
def roll_back_release() -> None:
    """Wire one roll-back."""

    @step(Owner.PRODUCT, task_id="roll_back_release")
    def move_back(run: Run) -> Counts:
        from models.publishing.roll_back_release import roll_back_release

        version, reason = (str(form()[field]).strip() for field in ("version", "reason"))
        return roll_back_release(run.storage, version, triggered_by(), reason, run.key).counts()

    chain(
        move_back(),
        step_of(Owner.PRODUCT, "models.tracking.registry:follow_pointer", of_run=False)(),
    )


roll_back_release()
