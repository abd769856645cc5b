"""The parts of the shop simulator: catalogue, shoppers, sessions, lines, faults and files."""
