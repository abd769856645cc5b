"""Benchmarks: what models cost, and how good they are on public data."""
