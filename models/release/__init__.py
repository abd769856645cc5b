"""The release decision: thresholds, verdict, and the answer of a person."""
