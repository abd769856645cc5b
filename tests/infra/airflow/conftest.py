"""Airflow's own database for these tests: made before anything imports Airflow."""

from tests.dags.conftest import airflow_database

__all__ = ["airflow_database"]
