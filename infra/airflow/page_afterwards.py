"""Renders the report page of a run after each of its tasks, however the task ended.

The page and its summary are copies of what the records say. So a failure to render them is logged
as a warning and changes nothing else: the task keeps its result or its own error, the next task
renders again, and the pages inside Airflow are made from the records at every request.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from infra.airflow.report_links import DAG, RELEASE_DAG
from infra.ledger.record_files import RecordFiles
from infra.places import VERDICT
from infra.report.page import write_report
from infra.storage import Storage

log = logging.getLogger(__name__)


@contextmanager
def page_afterwards(storage: Storage, run: str, dag: str) -> Iterator[None]:
    """Render the page of a run when the work inside ends; only retrainings have one."""
    try:
        yield
    finally:
        if dag == DAG or (dag == RELEASE_DAG and RecordFiles(storage.reports, run).exists(VERDICT)):
            _render(storage, run)


def _render(storage: Storage, run: str) -> None:
    try:
        write_report(storage, run)
    except Exception:  # whatever it is, the task matters more than its page
        log.warning("The page of %s could not be rendered.", run, exc_info=True)
