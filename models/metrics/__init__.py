"""The numbers of an evaluation: pure functions of lists and hits."""
