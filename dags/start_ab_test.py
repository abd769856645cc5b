"""Test another candidate against what is live, on real customers.

The control is what is live; the treatment another candidate of the same retraining, built, gated
and tried as a winner is, and published without being live. From the last task on each customer of
the test gets the lists of one arm, always the same, until somebody decides by `decide_ab_test`.

**Send it with `only plan` first**: `plan_ab_test` says how many customers it needs and how long
that takes, in its log and its return value, and nothing starts. What cannot be told in the days of
the form is refused, unless the reason says why it shall start all the same.

| task is red | what it means |
|---|---|
| `plan_ab_test` | the form cannot be used, or the days do not suffice: its log says which |
| `prepare_treatment` | the run that made what is live is too old: start after the next release |
| `refit_winner` to `check_serving` | the treatment cannot be built; nobody sees it |
| `start_ab_test` | something else went live meanwhile, or the name was taken: send the form again |

Every task is safe to rerun; a run starts one test at most. How to read what comes out:
docs/how-to/run_an_ab_test.md. Owner: product.
"""

from airflow.sdk import Param, chain
from airflow.sdk.exceptions import AirflowSkipException

from dags._release_steps import bundle_of_winner
from infra.airflow.choices import live_placements, offered, other_candidates
from infra.airflow.defaults import (
    ASKS_FOR_A_USER,
    Counts,
    Owner,
    Run,
    Tag,
    among,
    dag_by_hand,
    form,
    step,
    triggered_by,
)

METRICS = ["conversion", "revenue", "orders", "units", "ctr"]


def percent(default: float, title: str, description: str) -> Param:
    """Return a field for a percentage above 0."""
    return Param(
        default,
        type="number",
        exclusiveMinimum=0,
        maximum=100,
        title=title,
        description=description,
    )


@dag_by_hand(
    __doc__,
    Tag.SERVING,
    name=Param(
        type="string",
        pattern="^[a-z0-9][a-z0-9-]{2,39}$",
        title="Name",
        description=f"Such as content-first: small letters, digits, dashes. {ASKS_FOR_A_USER}",
    ),
    hypothesis=Param(
        type="string",
        minLength=10,
        maxLength=1000,
        title="Hypothesis",
        description="What you expect, and why. The page of the test shows it.",
    ),
    candidate=Param(
        type="string",
        minLength=1,
        title="Treatment",
        description="Another candidate of the retraining that made what is live.",
        **among(offered(other_candidates)),
    ),
    placements=Param(
        ["home"],
        type="array",
        items={"type": "string"},
        title="Placements",
        description="Where it counts, one a line.",
        **among(offered(live_placements)),
    ),
    unit=Param(
        "user",
        enum=["user", "visitor"],
        title="Counted by",
        description="user: only people who are logged in. visitor: each device, logged in or not.",
    ),
    traffic=percent(100, "Traffic", "Percent of them that are in the test."),
    treatment_share=percent(50, "Share of treatment", "Percent of the test that treatment has."),
    primary=Param("conversion", enum=METRICS, title="Primary metric"),
    guardrails=Param(
        {"revenue": 5},
        type="object",
        title="Guardrails",
        description='Metrics that may not fall by more than so many percent: {"revenue": 5}.',
    ),
    days=Param(14, type="integer", minimum=1, maximum=90, title="Days"),
    mature_days=Param(
        7,
        type="integer",
        minimum=1,
        maximum=28,
        title="Days each is watched",
        description="From the first list a customer gets in the test on.",
    ),
    least_effect=percent(5, "Smallest effect", "Percent of the primary metric worth knowing."),
    units_a_day=Param(
        1000,
        type="number",
        exclusiveMinimum=0,
        title="Customers a day",
        description="New ones a day in these placements, as it is today.",
    ),
    mean=percent(3, "Metric today", "Percent who buy (of ctr: who click) within the days watched."),
    only_plan=Param(True, type="boolean", title="Only plan", description="Say what it needs."),
    reason=Param(
        None,
        type=["null", "string"],
        maxLength=1000,
        title="Reason",
        description="Only where the days do not suffice: why it shall start all the same.",
    ),
)
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
