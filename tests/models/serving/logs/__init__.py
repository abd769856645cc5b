"""Tests of `models/serving/logs`."""
