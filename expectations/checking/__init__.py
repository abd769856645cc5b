"""Measuring a table, holding it to its limits, and saying what failed."""
