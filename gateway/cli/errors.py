"""The one exception of the command line: a sentence for the user, exit code 2."""


class Usage(Exception):
    """What was asked cannot be done as asked; the text is one sentence that says what would work."""
