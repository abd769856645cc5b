"""Tests of `models/serving/api`."""
