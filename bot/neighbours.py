"""Settled rows by likeness."""
