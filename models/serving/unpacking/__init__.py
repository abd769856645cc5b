"""Makes a version of the published folder ready for the servers of one machine."""
