"""What a record looks like: types only."""
