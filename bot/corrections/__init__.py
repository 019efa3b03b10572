"""Corrections of answers: the acts of staff, and the queue and explanations that help them."""
