"""What all DAGs share: owners, tags, retries, and the wrapper that makes a function a task."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from infra.airflow.page_afterwards import page_afterwards
from infra.airflow.report_links import run_about
from infra.belonging import require_own_stores
from infra.errors import BusyError, CatwalkError, InputError, SparkError
from infra.loading import load_named
from infra.settings import Settings, load_settings
from infra.storage import Storage
from infra.utc import in_utc, require_past

Answer = TypeVar("Answer")
ASKS_FOR_A_USER = "A viewer sees this form and may not send it: ask somebody who may trigger runs."
Counts = dict[str, Any]  # what a task returns: addresses and counts, never data


class Owner(StrEnum):
    """Teams; a DAG and each of its tasks belong to one."""

    DATA_ENGINEERING = "data-engineering"
    DATA_SCIENCE = "data-science"
    PRODUCT = "product"


class Tag(StrEnum):
    """What a DAG is about; the UI filters by it."""

    INGESTION = "ingestion"
    TRAINING = "training"
    RELEASE = "release"
    EXPERIMENT = "experiment"
    SERVING = "serving"
    BUSINESS = "business"


def task_defaults(settings: Settings) -> dict[str, Any]:
    """Return the default arguments of every DAG's tasks."""
    return {
        "owner": Owner.DATA_ENGINEERING.value,
        "retries": settings.task_retries,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2.0,
        "execution_timeout": timedelta(hours=6),
    }


@dataclass(frozen=True)
class Run:
    """The run that a task belongs to: its DAG, the folder of its outputs, the time it replays.

    A run of `release_candidate` goes on with the outputs of the retraining that its form names.
    `id` is what Airflow itself calls the run of the task, `triggered` when it was due.
    """

    dag: str
    key: str
    as_of: datetime
    storage: Storage
    id: str
    triggered: datetime


def current_run() -> Run:
    """Return the run of the task that calls this.

    `as_of` is the run's parameter of that name, else the time the run was scheduled for: the same
    at every retry.
    """
    context = get_current_context()
    dag_run = context["dag_run"]
    chosen = context["params"].get("as_of")
    moment = require_past(datetime.fromisoformat(chosen) if chosen else dag_run.run_after)
    key = run_about(dag_run.dag_id, dag_run.run_id, context["params"])
    return Run(
        dag=dag_run.dag_id,
        key=key,
        as_of=in_utc(moment),
        storage=Storage(load_settings(), patient=True),
        id=dag_run.run_id,
        triggered=in_utc(dag_run.run_after),
    )


def dag_by_hand(
    doc: str | None, *tags: Tag, **fields: Param
) -> Callable[[Callable[[], None]], Any]:
    """Make a function a DAG that runs only when a person sends its form, one run at a time.

    Airflow reads only files in which it finds the words airflow and dag: hence its name.

    Parameters
    ----------
    doc : str
        The page that Airflow shows.
    fields : Param
        The form.
    """
    made: Callable[[Callable[[], None]], Any] = dag(
        schedule=None,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        default_args=task_defaults(load_settings()),
        tags=[tag.value for tag in tags],
        doc_md=doc,
        params=fields,
    )
    return made


def among(choices: Sequence[str], *, fill: bool = False) -> dict[str, Any]:
    """Let a field of a form offer choices, and take any other text; nothing is offered of none.

    Parameters
    ----------
    fill : bool
        Whether the first is filled in already.
    """
    default = {"default": choices[0]} if fill else {}
    return {"examples": list(choices), **default} if choices else {}


def reason_field() -> Param:
    """Return the field for the reason of a decision; a new one each, as Airflow fills it in."""
    return Param(
        type="string",
        minLength=3,
        maxLength=1000,
        title="Reason",
        description="Why, in a sentence. It is kept beside your name, for good.",
    )


def form() -> Counts:
    """Return what was filled into the form of the run of the task that calls this."""
    return dict(get_current_context()["params"])


def triggered_by() -> str:
    """Return the Airflow user who triggered the run of the task that calls this.

    Raises
    ------
    InputError
        Nobody did: what a person must answer for cannot run on a schedule.
    """
    user = get_current_context()["dag_run"].triggering_user_name
    if not user:
        raise InputError("Nobody is known to have triggered this run.", "Trigger it by hand.")
    return str(user)


def step(owner: Owner, **options: Any) -> Callable[[Callable[..., Answer]], Any]:
    """Make a function of a run a task of a team; the run becomes its first argument.

    However the function ends, the page of the run is rendered afterwards.
    """

    def decorate(function: Callable[..., Answer]) -> Any:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Answer:
            with task_run() as run:
                return function(run, *args, **kwargs)

        signature = inspect.signature(function)
        from_airflow = list(signature.parameters.values())[1:]
        call.__signature__ = signature.replace(parameters=from_airflow)  # type: ignore[attr-defined]
        return task(owner=owner.value, **options)(call)

    return decorate


@contextmanager
def task_run() -> Iterator[Run]:
    """Give the run of the task that calls this, and render the run's page when the work ends.

    An error that a person must act on fails the task at once, with one line. Anything else may pass
    by itself, so Airflow retries it; a `SparkError` too, since a worker may have been lost, and a
    `BusyError`.
    """
    try:
        run = current_run()
        require_own_stores(run.storage)
        with page_afterwards(run.storage, run.key, run.dag):
            yield run
    except (SparkError, BusyError):
        raise
    except CatwalkError as error:
        raise AirflowFailException(str(error)) from error


def step_of(
    owner: Owner, address: str, of_run: bool = True, unless: str = "", **options: Any
) -> Any:
    """Make a task of `package.module:function`; the task has the function's name.

    The module is imported when the task runs, so parsing a DAG loads none of it. A record that the
    function returns is shown by its counts.

    Parameters
    ----------
    of_run : bool
        Whether the function takes the run's folder name after the storage, or the storage alone.
    unless : str
        Another function, of a storage and a run's folder name; if it says yes, the task is skipped.
    """

    @step(owner, task_id=address.partition(":")[2], **options)
    def call(run: Run) -> Any:
        if unless and load_named(unless)(run.storage, run.key):
            raise AirflowSkipException(f"{unless.partition(':')[2]} says yes.")
        answer = load_named(address)(run.storage, *([run.key] if of_run else []))
        return answer.counts() if hasattr(answer, "counts") else answer

    return call
