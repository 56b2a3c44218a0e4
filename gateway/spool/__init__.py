"""The spool: the one durable place. One file per store and one line each in SPOOLS."""
