"""Password-protected files that hold a whole message: what is inside, and what stands outside."""
