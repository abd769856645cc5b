"""Change the shares of a running A/B test: how much of the traffic it has, and how much treatment.

It begins a new phase: everybody in the test is put to an arm anew, by another hash, and the verdict
counts from now on alone. So change shares for safety, such as from 5% to 50% of the traffic in the
first days, and not because of what the numbers say so far.

| field | what to write |
|---|---|
| `test` | clear the field, and choose a test |
| `traffic` | percent of the customers of its placements that are in the test |
| `treatment_share` | percent of these that treatment answers |
| `reason` | why; it is kept beside your name, for good |

The return value says how many days the planned customers take at the new traffic; more than 90 are
refused. Servers follow within ten seconds. Red: nothing was changed, the log says why. **Safe to
rerun.**
Owner: product.
"""

from airflow.sdk import Param

from infra.airflow.choices import offered, running_tests
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


@dag_by_hand(
    __doc__,
    Tag.SERVING,
    test=Param(
        type="string",
        minLength=3,
        title="Test",
        description=f"Its name. {ASKS_FOR_A_USER}",
        **among(offered(running_tests)),
    ),
    traffic=Param(
        100,
        type="number",
        exclusiveMinimum=0,
        maximum=100,
        title="Traffic",
        description="Percent of the customers of its placements.",
    ),
    treatment_share=Param(
        50,
        type="number",
        exclusiveMinimum=0,
        exclusiveMaximum=100,
        title="Share of treatment",
        description="Percent of the customers of the test.",
    ),
    reason=reason_field(),
)
def change_ab_test() -> None:
    """Wire one change."""

    @step(Owner.PRODUCT, task_id="change_ab_test")
    def write_change(run: Run) -> Counts:
        from models.ab_tests.change_ab_test import change_ab_test

        answer = form()
        shares = float(answer["traffic"]), float(answer["treatment_share"])
        words = triggered_by(), answer["reason"], run.key
        made = change_ab_test(run.storage, answer["test"], shares, *words)
        return made.model_dump(include={"number", "changes", "days_needed"})

    write_change()


change_ab_test()
