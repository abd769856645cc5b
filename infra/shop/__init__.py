"""One shop from outside: its Airflow, its processes, the lock on its home."""
