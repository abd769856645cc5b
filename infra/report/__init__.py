"""The report of a run: the records its steps write, and the one page people read about them."""

from infra.report.page import write_report
from infra.run_records import RunRecords

__all__ = ["RunRecords", "write_report"]
