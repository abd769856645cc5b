"""Tests of `models/serving`."""
