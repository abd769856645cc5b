"""The folder that serves one model: made, described, and seen to answer."""
