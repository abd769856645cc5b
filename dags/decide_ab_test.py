"""Decide on an A/B test: ship the treatment, keep control, or let it go on.

The form offers each running test with its newest verdict; the page A/B tests, under Reports, shows
all its numbers. The decision is about that verdict: a newer one refuses the form.

| field | what to write |
|---|---|
| `test` | clear the field, and choose a test with its verdict |
| `decision` | `ship`: the treatment goes live. `keep`: the test ends, all stays. `go on` |
| `reason` | why; it is kept beside your name, for good |

`go on` adds no customer after the planned days: to test longer, begin a new phase by
`change_ab_test`, or start another test.

Shipping needs a verdict at the end of the planned days: not a void one. The version is checked byte
by byte and must answer, then one pointer moves. Later runs prefer what was shipped, and release
nothing that lost unless a person says so. Red: nothing was decided, the log says why; if only
`follow_pointer` is red, all is decided, and clearing that task mends MLflow. **Safe to rerun.**
Owner: product.
"""

from airflow.sdk import Param, chain

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
    step_of,
    triggered_by,
)

RUNNING = offered(running_tests)


@dag_by_hand(
    __doc__,
    Tag.RELEASE,
    test=Param(
        type="string",
        minLength=3,
        title="Test and verdict",
        description=f"A minute ago: {' | '.join(RUNNING) or 'no test is running'}. "
        f"{ASKS_FOR_A_USER}",
        **among(RUNNING, fill=len(RUNNING) == 1),
    ),
    decision=Param(
        "go on",
        enum=["go on", "keep", "ship"],
        values_display={
            "go on": "go on: nothing changes, also not the days of the test",
            "keep": "keep: the test ends, what is live stays",
            "ship": "ship: the treatment goes live, and the test ends",
        },
        title="Decision",
    ),
    reason=reason_field(),
)
def decide_ab_test() -> None:
    """Wire one decision."""

    @step(Owner.PRODUCT, task_id="decide_ab_test")
    def write_decision(run: Run) -> Counts:
        from models.ab_tests.decide_ab_test import decide_ab_test

        answer = form()
        words = answer["test"], answer["decision"], triggered_by(), answer["reason"]
        made = decide_ab_test(run.storage, *words, run=run.key)
        return made.model_dump(include={"number", "decides", "decision", "pointer"})

    follow = step_of(Owner.PRODUCT, "models.tracking.registry:follow_pointer", of_run=False)
    chain(write_decision(), follow())


decide_ab_test()
