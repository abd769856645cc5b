"""Tests of `models/serving/engine`."""
