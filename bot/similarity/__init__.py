"""Near-copies of texts, the nearest rows, and the proof that two sets of rows are disjoint."""
