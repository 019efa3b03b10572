"""Askers' presses on the answers to their own questions."""
