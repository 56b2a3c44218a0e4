"""The exceptions of the command line: one sentence for the user each, never a traceback."""


class Usage(Exception):
    """What was asked cannot be done as asked; the text says what would work. Exit code 2."""


class Finding(Exception):
    """What was looked at is not in order; the text says what. Exit code 1."""
