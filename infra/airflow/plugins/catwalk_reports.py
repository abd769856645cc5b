"""Shows the reports inside Airflow: an entry in the navigation, a tab on each run and task.

It also refuses answers to questions that do not wait, which Airflow would take and lose.

Airflow loads this file into every one of its processes, so it imports nothing heavy; the pages
themselves are built in the API server when somebody first asks for one.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from infra.airflow.answers_in_time import AnswersInTime
from infra.airflow.report_links import BASE, NAV_ROUTE, RUN_ROUTE

_RUN = f"{BASE}/dags/{{DAG_ID}}/runs/{{RUN_ID}}"


class _LazyApp:
    """The pages, as an ASGI application that is built by its first request."""

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None:
            from infra.airflow.pages import make_app

            self._app = make_app()
        await self._app(scope, receive, send)


class CatwalkReports(AirflowPlugin):
    """What Airflow adds to its UI."""

    name = "catwalk_reports"
    fastapi_apps = [{"app": _LazyApp(), "url_prefix": BASE, "name": "Catwalk reports"}]  # noqa: RUF012
    fastapi_root_middlewares = [  # noqa: RUF012
        {"middleware": AnswersInTime, "args": [], "kwargs": {}, "name": "Catwalk answers in time"}
    ]
    external_views = [  # noqa: RUF012
        {
            "name": "Reports",
            "href": f"{BASE}/",
            "destination": "nav",
            "nav_top_level": True,
            "url_route": NAV_ROUTE,
        },
        {"name": "Report", "href": _RUN, "destination": "dag_run", "url_route": RUN_ROUTE},
        {
            "name": "Report",
            "href": f"{_RUN}?task={{TASK_ID}}",
            "destination": "task_instance",
            "url_route": "catwalk-report-of-task",
        },
    ]
