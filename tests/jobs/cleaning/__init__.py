"""Tests of `jobs/cleaning`."""
