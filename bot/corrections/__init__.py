"""What staff say about answers, and what follows from it."""
