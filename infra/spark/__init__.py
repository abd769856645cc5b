"""Spark: its Java, its session, its faults in one line."""
