"""Tests of models/ab_tests."""
