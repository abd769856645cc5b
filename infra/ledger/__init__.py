"""What is kept for good: records of runs, decisions, batches, and which version is live."""
