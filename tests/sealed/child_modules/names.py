"""Copies by the names that the system has for its input and output, and tells which variables it was given."""

import os
from pathlib import Path

if __name__ == "__main__":
    with Path("/dev/stdin").open("rb") as given, Path("/dev/stdout").open("wb") as out:
        out.write(given.read() + b"|" + " ".join(os.environ).encode())
