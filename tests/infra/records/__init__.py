"""Tests of `infra/records`."""
