"""The pure core: what a message is, what the policy says of it, and what follows. No I/O, no clock, no randomness."""
