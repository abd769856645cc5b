"""What a shop never deletes: records of runs, decisions, batches, and which version is live."""
