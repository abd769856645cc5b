"""Tests of `models/release`."""
