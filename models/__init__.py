"""Recommenders: training, evaluation, the release decision and publishing."""
