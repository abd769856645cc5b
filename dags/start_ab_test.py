"""Test another candidate against what is live, on real customers.

The control is what is live; the treatment another candidate of the same retraining, built, gated
and tried as a winner is, and published without being live. From the last task on each customer of
the test gets the lists of one arm, always the same, until somebody decides by `decide_ab_test`.

**Send it with `only plan` first**: `plan_ab_test` says how many customers it needs and how long
that takes at the traffic that was measured, in its return value, and nothing starts. What cannot be
told in the days of the form is refused, unless the reason says why it shall start all the same.

| task is red | what it means |
|---|---|
| `plan_ab_test` | the form cannot be used, or the days do not suffice: its log says which |
| `prepare_treatment` | the run that made what is live is too old: start after the next release |
| `refit_winner` to `check_serving` | the treatment cannot be built; nobody sees it |
| `start_ab_test` | something else went live meanwhile, or the name was taken: send the form again |

Every task is safe to rerun; a run starts one test at most. How to read what comes out:
docs/how-to/run_an_ab_test.md. Owner: product.
"""

from airflow.sdk import chain
from airflow.sdk.exceptions import AirflowSkipException

from dags._release_steps import bundle_of_winner
from infra.airflow.ab_test_form import ab_test_fields
from infra.airflow.defaults import (
    Counts,
    Owner,
    Run,
    Tag,
    dag_by_hand,
    form,
    step,
    triggered_by,
)


@dag_by_hand(__doc__, Tag.SERVING, **ab_test_fields())
def start_ab_test() -> None:
    """Wire one test: plan, build the treatment, start."""

    @step(Owner.PRODUCT)
    def plan_ab_test(run: Run) -> Counts:
        from models.ab_tests.plan_ab_test import plan_ab_test
        from models.ab_tests.wish import wish_of

        return plan_ab_test(run.storage, run.key, wish_of(form())).counts()

    @step(Owner.DATA_SCIENCE)
    def prepare_treatment(run: Run) -> Counts:
        from models.ab_tests.prepare_treatment import prepare_treatment

        if form()["only_plan"]:
            raise AirflowSkipException("The form asks for the plan alone.")
        return prepare_treatment(run.storage, run.key)

    @step(Owner.PRODUCT, task_id="start_ab_test")
    def start(run: Run) -> Counts:
        from models.ab_tests.start_ab_test import start_ab_test

        return start_ab_test(run.storage, run.key, triggered_by()).counts()

    first, last = bundle_of_winner()
    chain(plan_ab_test(), prepare_treatment(), first)
    chain(last, start())


start_ab_test()
