"""What wakes us, and what people see."""
