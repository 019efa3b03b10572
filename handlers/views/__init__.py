"""Pure functions that turn domain objects into Block Kit."""
