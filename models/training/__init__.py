"""Trains a candidate and keeps it."""
