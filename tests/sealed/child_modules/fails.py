"""Gives a little, reads nothing, and fails."""

import os

if __name__ == "__main__":
    os.write(1, b"half")
    raise SystemExit(3)
