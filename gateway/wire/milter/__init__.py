"""The milter protocol, version 6, from the filter's side: bytes to events and answers to bytes, without I/O."""
