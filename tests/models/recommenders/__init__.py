"""Tests of `models/recommenders`."""
