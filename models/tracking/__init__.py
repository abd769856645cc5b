"""What MLflow is told: scores of candidates, and versions of releases."""
