"""What runs inside Airflow: what all DAGs share, approvals, messages and the report pages."""
