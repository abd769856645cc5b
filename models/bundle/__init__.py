"""The bundle, the folder that serves one model: built, described, and checked that it answers."""
