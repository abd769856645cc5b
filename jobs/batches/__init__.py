"""Ingestion: the stream of a source, its batches, and the books that account for every row."""
