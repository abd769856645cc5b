"""Docs: each page is true, and its commands run as printed."""
