"""Numbers of the business: what was served and shown, what followed, by day and by test."""
