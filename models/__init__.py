"""Recommenders, their evaluation, the release decision and publishing."""
