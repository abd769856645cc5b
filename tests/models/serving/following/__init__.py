"""Tests of `models/serving/following`."""
