"""What people do with an answer: rate it, react to it, ask why, keep it, and agree to the use of their words."""
