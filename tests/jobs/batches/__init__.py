"""Tests of `jobs/landing`."""
