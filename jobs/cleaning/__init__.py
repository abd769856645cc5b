"""From parsed text to typed rows, each clean or with the reason why not."""
