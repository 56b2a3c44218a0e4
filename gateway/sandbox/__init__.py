"""The small world of `make run`: DNS, MX hosts and an inbox page, on loopback only."""
