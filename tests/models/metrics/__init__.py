"""Tests of `models/metrics`."""
