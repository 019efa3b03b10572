"""What askers press on the answers to their own questions."""
