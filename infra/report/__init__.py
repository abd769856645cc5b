"""What people read about a run: its page, the list of all runs, and the words of both."""
