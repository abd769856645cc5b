"""Airflow's own database, made before anything imports Airflow."""

from __future__ import annotations

import os
import tempfile

import pytest

_HOME = tempfile.mkdtemp(prefix="catwalk-airflow-")
os.environ.update(
    AIRFLOW_HOME=_HOME,
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{_HOME}/airflow.db",
    AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
    CATWALK_USER_KEY_SECRET="a secret of sixteen characters or more",
)


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Create the tables Airflow needs, once."""
    from airflow.utils import db

    db.initdb()
