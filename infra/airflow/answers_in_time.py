"""Refuses an answer to a question that does not wait for one: Airflow would take it and lose it.

Airflow keeps an answer whatever the task is doing, and hands it on only if the task waits. Before
that a worker may still be asking; after that the question is over: answered, replaced, or its task
marked by hand. Whoever answers then is told so (409), in place of a thank-you.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

_FORM = re.compile(
    r".*/dags/(?P<dag_id>[^/]+)/dagRuns/(?P<run_id>.+)/taskInstances/(?P<task_id>[^/]+)"
    r"/(?P<map_index>-?\d+)/hitlDetails"
)
WAITS = {"awaiting_input", "deferred"}
OVER = {"success", "failed", "skipped", "upstream_failed", "removed"}
EARLY = "The question is being put. Nothing was taken down: try again in a few seconds."
LATE = "This question waits no longer, so your answer was not taken down. Look at its run."


class AnswersInTime:
    """A layer around Airflow's API server; light, since every process of Airflow loads it."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer in place of Airflow where nothing waits for what was sent."""
        sent = scope["type"] == "http" and scope["method"] == "PATCH"
        form = _FORM.fullmatch(scope["path"]) if sent else None
        refusal = await _refusal(scope, form.groupdict()) if form else ""
        if not refusal:
            await self._app(scope, receive, send)
            return
        from starlette.responses import JSONResponse

        await JSONResponse({"detail": refusal}, 409)(scope, receive, send)


async def _refusal(scope: Any, form: dict[str, str]) -> str:
    """Say why an answer is refused; empty where Airflow may say what it says, as to strangers."""
    from starlette.concurrency import run_in_threadpool

    if not await _is_logged_in(scope):
        return ""
    return _why_not(await run_in_threadpool(_state, form))


def _why_not(state: str | None) -> str:
    if state is None or state in WAITS:
        return ""
    return LATE if state in OVER else EARLY


async def _is_logged_in(scope: Any) -> bool:
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import HTTPException
    from fastapi.security import HTTPBearer
    from starlette.requests import Request

    request = Request(scope)
    try:
        await get_user(request, None, await HTTPBearer(auto_error=False)(request))
    except HTTPException:
        return False
    return True


def _state(form: dict[str, str]) -> str | None:
    """Return what a task is doing, empty before it begins; None where Airflow knows no such one."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    names = {name: unquote(text) for name, text in form.items()}
    known = select(TaskInstance.state).filter_by(**names | {"map_index": int(form["map_index"])})
    with create_session() as session:
        found = session.execute(known).first()
    return None if found is None else str(found[0] or "")
