"""Reads what the shop delivers: which files, in which format, by which rules of a source."""
