"""Tests of `models/publishing`."""
