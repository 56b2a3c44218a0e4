"""The network's edge: DNS, TLS contexts, and SMTP sessions as a client."""
