"""`make demo`: one whole retraining from landing files to a published model, shown step by step."""
