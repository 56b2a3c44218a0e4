"""What attached files tell of themselves without being opened: the names in an archive, and whether there is a lock.

`peek` knows formats by their first bytes; each other file reads one format from the bytes that were kept of it.
"""
