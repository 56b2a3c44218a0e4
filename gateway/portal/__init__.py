"""The web pages where people outside open, read and answer sealed messages."""
