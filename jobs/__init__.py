"""Spark jobs: one table each, a pure transform and a thin main."""
