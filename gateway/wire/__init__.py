"""Sans-IO wire formats: bytes in, values out, and back. No sockets, no clock."""
