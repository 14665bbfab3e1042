"""Planners: what should be mounted and done on this host, from the records alone."""
