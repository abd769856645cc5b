"""What all packages share: settings, stores, records, reports, errors, Spark and Airflow."""
