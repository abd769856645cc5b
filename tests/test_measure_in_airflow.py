"""A measurement runs through a real Airflow, in the pool that its server made."""

from __future__ import annotations

from infra.airflow.spark_pool import SPARK_POOL, SPARK_SLOTS
from infra.ledger.marts import latest
from infra.shop.airflow_client import AirflowClient
from infra.storage import Storage
from infra.waiting import wait_until
from tests.jobs.marts.served_files import land_served, line

DAG_ID = "measure_business"


def test_the_log_becomes_kpis_in_the_pool_of_spark(
    airflow: AirflowClient, airflow_shop: Storage
) -> None:
    assert airflow.pool_slots(SPARK_POOL) == SPARK_SLOTS
    land_served(airflow_shop, line("r1", "2026-11-24T10:00:00+00:00", 1, "i1 i2", user_key="u"))
    airflow.unpause(DAG_ID)
    run = airflow.trigger(DAG_ID, {})
    assert wait_until(lambda: airflow.run_state(DAG_ID, run) in ("success", "failed"), 300)
    assert airflow.run_state(DAG_ID, run) == "success"
    record = latest(airflow_shop)
    assert record is not None
    assert record.partitions["kpi_daily"] == {"2026-11-24": record.number}
    made = {task.task for task in airflow.tasks(DAG_ID, run)}
    assert made == {"ingest_served", "build_marts", "gate_marts"}
