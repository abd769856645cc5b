"""Tests of `models/benches`."""
