"""Putting a version live, taking it back, and deleting old ones."""
