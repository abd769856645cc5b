"""Tests of `infra/airflow`."""
