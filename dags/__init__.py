"""Wiring: one file per DAG."""
