"""TOML files, strictly read (pydantic), into the frozen dataclasses of the inner layers."""
