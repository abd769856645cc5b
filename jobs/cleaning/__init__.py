"""Converts parsed rows to typed ones and sorts them; finds repeated events."""
