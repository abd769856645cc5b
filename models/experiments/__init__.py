"""Experiments: variants of a candidate are tried, and can never be published."""
