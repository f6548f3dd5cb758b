"""The exact solver, whose answers come with a certificate."""
