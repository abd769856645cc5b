"""Tests of `infra/demo`."""
