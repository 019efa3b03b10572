"""Frozen things, and the rules that need nothing but them."""
