"""The page where a person decides about held mail; it sees the spool through its reader and acts through the gateway."""
