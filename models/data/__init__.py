"""Reads the tables of a run as arrays, and makes the hold-out."""
