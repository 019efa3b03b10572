"""Forgetting: what people asked for, or what is too old, is erased everywhere and looked for again."""
