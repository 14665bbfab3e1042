"""The kinds of backends: how each one's share comes to a host, and what it can do for volumes there."""
