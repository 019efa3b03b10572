"""Questions: from an arrival to its one visible answer."""
