"""Who asks: the name that the audit and the log keep of an operator."""

import os
import pwd


def operator() -> str:
    """Who asks, by name; behind sudo the person and not root."""
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
