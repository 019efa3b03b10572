"""From an arrival to its one visible answer."""
