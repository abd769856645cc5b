"""Tests of `infra/stores`."""
