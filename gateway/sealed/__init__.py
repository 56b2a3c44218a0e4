"""Messages sealed at rest: their keys, files and store, and the formats that wrap a message for its recipients."""
