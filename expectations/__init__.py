"""Quality gates: the rules each table must meet before anything uses it."""
