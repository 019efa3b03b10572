"""Immutable values and the pure rules over them; standard library and pydantic only."""
