"""What a first decision, of a policy or of a faster solver, saves a solver."""
