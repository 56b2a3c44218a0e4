"""Trying a policy before it is in force: on one message, on its own tests, on the audit, on a message trace."""
