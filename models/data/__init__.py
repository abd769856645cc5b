"""The tables of a run as arrays, and the hold-out."""
