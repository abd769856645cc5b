"""Judge every running A/B test, each day, from what its customers did.

The verdict of the day lies in the reports (`ab_tests/NAME/DAY.json`): the page A/B tests shows it,
and the form `decide_ab_test` offers it. Nothing is decided here; people are told of each
new verdict but `too early`, and again the next day where no channel took the message.

| verdict | what it means |
|---|---|
| too early | the planned days are not over; the numbers may still turn |
| harm | the treatment harms beyond any chance: end the test |
| ship, keep, cannot tell | the planned days are over; a person decides |
| void | it was not served as planned, so its numbers say nothing; the verdict says why |

A test without units yet waits for `measure_business`. Red: a test could not be judged, the log says
which and why; all others were. **Safe to rerun**: the same tables give the same verdict.
Owner: product.
"""

from airflow.sdk import dag
from airflow.timetables.trigger import CronTriggerTimetable

from infra.airflow.defaults import Counts, Owner, Run, Tag, step, task_defaults
from infra.settings import load_settings

DAILY = "30 5 * * *"  # after the marts of the night


@dag(
    schedule=CronTriggerTimetable(DAILY, timezone="UTC", run_immediately=False),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args=task_defaults(load_settings()),
    tags=[Tag.RELEASE.value],
    doc_md=__doc__,
)
def judge_ab_tests() -> None:
    """Wire one look at all tests."""

    @step(Owner.PRODUCT, task_id="judge_ab_tests")
    def judge(run: Run) -> Counts:
        from infra.airflow.tell_verdict import tell_verdict
        from models.ab_tests.judge_ab_tests import judge_ab_tests

        return judge_ab_tests(run.storage, run.as_of, tell_verdict).counts()

    judge()


judge_ab_tests()
