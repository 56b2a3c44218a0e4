"""Conditions of rules: three-valued, so that what cannot be told never becomes a no (Kleene's strong logic).

`base` says what a condition is, `logic` combines them; each other file holds one family. A new condition is a class
beside these and one reader in `gateway.config.conditions`.
"""
