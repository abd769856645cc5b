"""Tests of `models/merchandising`."""
