"""Programs of their own: they know the protocols, and import nothing of ours."""
