"""The pool of Airflow in which tasks wait that start Spark: two JVMs fill a small machine.

`make up` and the demo make it (`infra/shop/airflow_server.py`). Another Airflow needs it too, or
these tasks never start: `airflow pools set spark 1 "tasks that start Spark"`.
"""

from __future__ import annotations

SPARK_POOL = "spark"
SPARK_SLOTS = 1
ABOUT = "tasks that start Spark: as many at once as the machine has memory for"
