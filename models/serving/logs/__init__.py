"""What the server writes: the events it accepts and what it answered, on their way to landing."""
