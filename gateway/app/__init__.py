"""The composition root: the supervisor, its workers, and what they are made of."""
