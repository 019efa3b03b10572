"""What serves, what could, and the rule by which that changes."""
