"""Airflow for one shop: its environment, its processes, its REST API, what all DAGs share."""
