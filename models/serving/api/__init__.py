"""What stands on the wire: the shapes of the API, its errors, its guard, its description."""
