"""The right of one host to use a volume: who has it, how long, and how a host that lost it is stopped."""
