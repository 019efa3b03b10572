"""What staff say of answers, and what becomes of it."""
