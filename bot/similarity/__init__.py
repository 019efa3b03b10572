"""Which texts are nearly the same, which rows are nearest, and proof that two sets are disjoint."""
