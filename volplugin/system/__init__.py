"""Actuators and their tools: what is mounted on this host, and how to change it."""
