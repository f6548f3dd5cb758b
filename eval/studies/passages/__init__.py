"""What planning is worth to a reader that chooses the passages it answers from."""
