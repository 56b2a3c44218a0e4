"""The pages for the recipients of sealed messages."""
