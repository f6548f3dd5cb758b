"""What the vocabulary of a standard is worth to a student, whole and compressed."""
