"""Tests of `infra/spark`."""
