"""Tests of `models/experiments`."""
