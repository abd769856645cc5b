"""Tests of `jobs/benches`."""
