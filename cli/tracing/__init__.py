"""What `moorage trace` is made of: who is who, what the switch and the host do to a packet, and the story of it."""
