"""Tests of `jobs/marts`."""
