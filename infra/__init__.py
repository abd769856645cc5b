"""The ground everything stands on: settings, storage, schemas, errors, Spark and Airflow."""
