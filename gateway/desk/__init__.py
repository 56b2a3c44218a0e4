"""The page where a person decides about held mail: it reads the spool from outside, and acts through the gateway."""
