"""How candidates and the champion score on the hold-out."""
