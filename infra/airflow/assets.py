"""What one DAG makes and another waits for, as Airflow's assets."""

from __future__ import annotations

from airflow.sdk import Asset

EVENTS_ACCEPTED = Asset("events_accepted", uri="catwalk://events/accepted")
