"""One file per DAG: which tasks it has, and in which order."""
