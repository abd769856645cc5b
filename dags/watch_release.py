"""Watch the newest release for two weeks, each day: tell people if customers click or buy less.

Clicks per item seen, orders and revenue per list of the live version are held against the same
weekdays of the four weeks before, complete days alone. All lists of those weeks count, also both
arms of an A/B test. A fall that chance explains in less than one case of a hundred is told to
people, once a release, with the way to the form `roll_back_release`. Nothing is ever rolled back
by itself.

A trend, a holiday or a campaign falls and rises too: an A/B test is the only proof of a cause.
Red: the marts or the pointer could not be read. **Safe to rerun.** Owner: product.
"""

from airflow.sdk import dag
from airflow.timetables.trigger import CronTriggerTimetable

from infra.airflow.defaults import Counts, Owner, Run, Tag, step, task_defaults
from infra.settings import load_settings

DAILY = "45 5 * * *"  # after the marts of the night


@dag(
    schedule=CronTriggerTimetable(DAILY, timezone="UTC", run_immediately=False),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args=task_defaults(load_settings()),
    tags=[Tag.RELEASE.value],
    doc_md=__doc__,
)
def watch_release() -> None:
    """Wire one look at the release."""

    @step(Owner.PRODUCT, task_id="watch_release")
    def watch(run: Run) -> Counts:
        from infra.airflow.tell_alarm import tell_alarm
        from models.publishing.watch_release import watch_release

        found = watch_release(run.storage)
        if found is None:
            return {"watched": "nothing"}
        fell = {change.kpi: round(change.relative, 4) for change in found.fallen}
        return {"watched": found.version, "fell": fell, "told": tell_alarm(run.storage, found)}

    watch()


watch_release()
