"""Tests of `infra/report`."""
