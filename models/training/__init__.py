"""Fitting a candidate and keeping it."""
