"""One batch of landed rows, from reading to its manifest, with every row accounted for."""
