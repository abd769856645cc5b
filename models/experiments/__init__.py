"""Trying variants of a candidate, without any way to publish."""
