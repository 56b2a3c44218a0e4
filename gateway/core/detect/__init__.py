"""Detectors: what a policy has looked for in a message once, before any rule is asked.

`base` says what a detector is; each other file holds one family. Only whether it was found is kept, never the text.
"""
