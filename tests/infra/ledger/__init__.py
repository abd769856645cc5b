"""Tests of `infra/ledger`."""
