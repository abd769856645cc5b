"""Tests of `infra/shop`."""
