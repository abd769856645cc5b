"""Tests of `models/data`."""
