"""Pure functions: things in, Block Kit out."""
