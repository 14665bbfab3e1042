"""What this host has: actuators, one for each kind of thing, and the only code that touches the system."""
