"""Tells people of a question once it waits for them; it never delays or fails anything else.

A message takes seconds where a server is slow. Sent by the task that asks, it would reach people
before their answer can be taken.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseNotifier, BaseSensorOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

WAITS = "awaiting_input"
YET_TO_COME = {None, "scheduled", "queued", "running", "up_for_retry", "restarting"}
LOOKS_EVERY, GIVES_UP_AFTER = 5.0, 3600.0  # seconds


def tell_approvers(asks: str, notifier: BaseNotifier, **options: Any) -> TellApprovers:
    """Make the task that tells of the question which another task of the run asks."""
    return TellApprovers(task_id="tell_approvers", asks=asks, notifier=notifier, **options)


class TellApprovers(BaseSensorOperator):
    """Tells when a task of the same run waits for a person, and is skipped if it never does.

    Parameters
    ----------
    asks : str
        The task that asks.
    notifier : BaseNotifier
        Tells.
    """

    def __init__(self, *, asks: str, notifier: BaseNotifier, **options: Any) -> None:
        mine: dict[str, Any] = {
            "mode": "reschedule",  # holds no worker while it waits
            "poke_interval": LOOKS_EVERY,
            "timeout": GIVES_UP_AFTER,
            "never_fail": True,
        }
        super().__init__(**{**options, **mine})
        self._asks, self._notifier = asks, notifier

    def poke(self, context: Context) -> bool:
        """Tell, if it is time."""
        ti = context["ti"]
        found = ti.get_task_states(dag_id=ti.dag_id, task_ids=[self._asks], run_ids=[ti.run_id])
        state = found.get(ti.run_id, {}).get(self._asks)
        if state in YET_TO_COME:
            return False
        if state != WAITS:
            raise AirflowSkipException("The question waits no longer, or nobody is asked.")
        self._notifier(context)
        return True
