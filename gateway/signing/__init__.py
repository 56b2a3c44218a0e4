"""Signatures on outgoing mail."""
