"""What this host should have, as pure functions of the records."""
