"""Asks a running Airflow over its REST interface, by the few calls that we need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

import httpx

from infra.errors import AirflowError
from infra.waiting import wait_until

FINISHED = ("success", "failed")
# A connection of its own for each call: one that is kept may be closed by a server that restarts.
_ONE_CALL_EACH = httpx.Limits(max_keepalive_connections=0)


@dataclass(frozen=True)
class TaskInstance:
    """One task of a run; a mapped task has one per `map_index`, all others have -1."""

    task: str
    map_index: int
    label: str | None
    state: str | None
    seconds: float | None
    try_number: int
    ended: str | None = None

    @property
    def name(self) -> str:
        """`train` or, mapped, `train [popularity]`."""
        if self.map_index < 0:
            return self.task
        return f"{self.task} [{self.label or self.map_index}]"


class AirflowClient:
    """One user's view of one Airflow."""

    def __init__(self, address: str, user: str, password: str) -> None:
        self.address = address
        self._login = {"username": user, "password": password}
        self._token = ""
        self._http = httpx.Client(
            base_url=address,
            headers={"Accept": "application/json"},
            follow_redirects=True,
            limits=_ONE_CALL_EACH,
            trust_env=False,  # no proxy between us and a server on this machine
        )

    def health(self) -> dict[str, str]:
        """Return the status of each part that has one; empty while nobody answers."""
        try:
            answer = self._send("GET", "/api/v2/monitor/health", None, 5)
        except AirflowError:
            return {}
        return {part: state["status"] for part, state in answer.items() if state.get("status")}

    def unpause(self, dag: str, wait_seconds: float = 60) -> None:
        """Let a DAG run; waits until Airflow has read its file.

        Raises
        ------
        AirflowError
            Airflow did not find the DAG in time; the message says what its import said.
        """
        if not wait_until(lambda: self._has(dag), wait_seconds):
            raise AirflowError(f"Airflow has no DAG {dag}.", self._import_errors())
        self._call("PATCH", f"/dags/{dag}?update_mask=is_paused", {"is_paused": False})

    def ensure_pool(self, pool: str, slots: int, about: str) -> None:
        """Make a pool; one that is there stays as it is, also with other slots."""
        if self.pool_slots(pool) is None:
            body = {"name": pool, "slots": slots, "description": about, "include_deferred": False}
            self._call("POST", "/pools", body)

    def pool_slots(self, pool: str) -> int | None:
        """Return how many slots a pool has; None if there is no such pool."""
        found = self._call("GET", f"/pools?limit=100&pool_name_pattern={quote(pool, safe='')}")
        return {each["name"]: int(each["slots"]) for each in found["pools"]}.get(pool)

    def trigger(self, dag: str, conf: dict[str, Any]) -> str:
        """Start a run and return its id."""
        answer = self._call("POST", f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": conf})
        return str(answer["dag_run_id"])

    def run_state(self, dag: str, run: str) -> str:
        """Return `queued`, `running`, `success` or `failed`."""
        return str(self._call("GET", _run(dag, run))["state"])

    def unfinished_runs(self, dag: str) -> list[str]:
        """Return the ids of runs that are queued or running."""
        query = "state=queued&state=running&limit=100"
        return [
            run["dag_run_id"]
            for run in self._call("GET", f"/dags/{dag}/dagRuns?{query}")["dag_runs"]
        ]

    def runs(self, dag: str) -> int:
        """Return how many runs a DAG has had."""
        return int(self._call("GET", f"/dags/{dag}/dagRuns?limit=1")["total_entries"])

    def last_run(self, dag: str, state: str = "") -> str | None:
        """Return the id of a DAG's latest run, maybe of those that ended so; None without one."""
        query = "limit=1&order_by=-run_after" + (f"&state={state}" if state else "")
        latest = self._call("GET", f"/dags/{dag}/dagRuns?{query}")["dag_runs"]
        return str(latest[0]["dag_run_id"]) if latest else None

    def give_up(self, dag: str, run: str) -> None:
        """Mark a run failed, which stops its tasks; returns when it has stayed so for two seconds.

        A scheduler that read the run before may overwrite the mark with a success, as the tasks
        that never began are skipped. It leaves runs alone that are over, so marking again holds.

        Raises
        ------
        AirflowError
            The run did not stay failed.
        """
        for _ in range(5):
            self._call("PATCH", f"{_run(dag, run)}?update_mask=state", {"state": "failed"})
            if not wait_until(lambda: self.run_state(dag, run) != "failed", seconds=2):
                return
        raise AirflowError(
            f"The run {run} does not stay failed.", "Start `make up`, mark it there."
        )

    def tasks(self, dag: str, run: str) -> list[TaskInstance]:
        """Return all task instances of a run, those that ended first at the front."""
        answer = self._call("GET", f"{_run(dag, run)}/taskInstances?limit=500")
        tasks = [_task_instance(task) for task in answer["task_instances"]]
        return sorted(tasks, key=lambda task: task.ended or "~")

    def result(self, dag: str, run: str, task: TaskInstance) -> Any:
        """Return what a task returned, or None."""
        path = f"{_run(dag, run)}/taskInstances/{task.task}/xcomEntries/return_value"
        try:
            entry = self._call("GET", f"{path}?map_index={task.map_index}&stringify=false")
        except AirflowError:
            return None
        return entry.get("value")

    def log(self, dag: str, run: str, task: TaskInstance) -> list[dict[str, Any]]:
        """Return the lines of a task's last try, each with `event` and maybe `error_detail`."""
        path = f"{_run(dag, run)}/taskInstances/{task.task}/logs/{max(task.try_number, 1)}"
        content = self._call("GET", f"{path}?map_index={task.map_index}&full_content=true")
        return cast(list[dict[str, Any]], content.get("content", []))

    def _has(self, dag: str) -> bool:
        try:
            self._call("GET", f"/dags/{dag}")
        except AirflowError:
            return False
        return True

    def _import_errors(self) -> str:
        errors = self._call("GET", "/importErrors")["import_errors"]
        texts = [f"{error['filename']}: {error['stack_trace'].strip()}" for error in errors]
        return "\n".join(texts) or "Check that its file is in the dags folder."

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask as the user; logs in at the first call."""
        if not self._token:
            self._token = self._send("POST", "/auth/token", self._login)["access_token"]
        return self._send(method, f"/api/v2{path}", body)

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None, timeout: float = 30
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            answer = self._http.request(method, path, json=body, headers=headers, timeout=timeout)
            answer.raise_for_status()
            return cast(dict[str, Any], answer.json())
        except httpx.HTTPStatusError as error:
            raise _refused(method, path, error.response) from error
        except (httpx.HTTPError, ValueError) as error:
            raise AirflowError(
                f"Airflow does not answer at {self.address}.", "See its log in HOME/airflow/logs."
            ) from error


def _run(dag: str, run: str) -> str:
    return f"/dags/{dag}/dagRuns/{quote(run, safe='')}"


def _task_instance(answer: dict[str, Any]) -> TaskInstance:
    return TaskInstance(
        task=answer["task_id"],
        map_index=answer["map_index"],
        label=answer.get("rendered_map_index"),
        state=answer["state"],
        seconds=answer["duration"],
        try_number=answer["try_number"],
        ended=answer["end_date"],
    )


def _refused(method: str, path: str, answer: httpx.Response) -> AirflowError:
    try:
        detail = answer.json().get("detail", "")
    except (ValueError, AttributeError):
        detail = ""
    return AirflowError(
        f"Airflow answered {answer.status_code} to {method} {path}: {detail}.", "Ask again."
    )
