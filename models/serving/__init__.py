"""Answers the shop over HTTP from the version that is live."""
