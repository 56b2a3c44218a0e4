"""The flow of a message: accept, dispatch, janitor. Asynchronous; sees the outside only through `ports`."""
