"""Registers: the lists that an organisation keeps beside its policy, read with it and looked up by rules.

`directory` finds an entry for an address; each other file holds one register; `book` holds them all.
"""
