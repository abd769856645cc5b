"""Measures a table, checks the measures against limits, and says what failed."""
