"""Tests of `models/evaluation`."""
