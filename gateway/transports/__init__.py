"""The ways to carry mail: one file each and one line each in TRANSPORTS."""
