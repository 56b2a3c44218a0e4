"""What is told to the outside: log lines and metrics."""
