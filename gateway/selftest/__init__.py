"""`sealpost selftest`: the installed configuration in a world of faults on loopback, and proof of what left it."""
