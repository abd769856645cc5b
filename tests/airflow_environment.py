"""The Airflow of the tests' own processes: it reads its environment once, when it is imported."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from infra.shop.airflow_home import PLUGINS_FOLDER
from tests.house import REPOSITORY

_HOME = tempfile.mkdtemp(prefix="catwalk-airflow-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
Path(_HOME, "passwords.json").write_text('{"analyst": "analyst", "pm": "pm"}', encoding="utf-8")
os.environ.update(
    AIRFLOW_HOME=_HOME,
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__CORE__DAGS_FOLDER=str(REPOSITORY / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(PLUGINS_FOLDER),
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS="analyst:viewer,pm:user",
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=f"{_HOME}/passwords.json",
    AIRFLOW__API_AUTH__JWT_SECRET="secret of a test, " * 4,
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{_HOME}/airflow.db",
    AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
    CATWALK_USER_KEY_SECRET="a secret of sixteen characters or more",
)
